// The engine that translates: makes one, with its own interpreter, windows and code cache.
#pragma once

#include <memory>

#include "cpu/cpu.hpp"
#include "cpu/engine.hpp"
#include "jit/config.hpp"

namespace vellum {

// Takes over GuestMemory's watcher for translated pages. Throws HostError when the host has no room.
std::unique_ptr<Engine> make_translator(Cpu& cpu, const TranslatorConfig& config = {});

}  // namespace vellum
