// What each fuzz target offers beside LLVMFuzzerTestOneInput: its seeds, which `TARGET --write-seeds FOLDER` writes as
// files (target_main.cpp).
#pragma once

#include <vector>

#include "input.hpp"

namespace vellum::fuzz {

std::vector<Seed> seeds();

}  // namespace vellum::fuzz
