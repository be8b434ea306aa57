// What pieces of emitted code are called, for people who read profiles.
#pragma once

#include <string>

#include "jit/code_observer.hpp"
#include "jit/emitter.hpp"

namespace vellum {

// guest.LINEAR.MODE, LINEAR being eight hexadecimal digits. MODE is r0 to r3, the privilege level, for 32-bit code of
// protected mode; real and v86 for 16-bit code there; r0-16 and so on, real-32 and v86-32, where the size of code is
// not the usual one.
std::string block_name(Linear address, const CodeMode& mode);

// Tells of the pieces that all blocks share. `bytes`: where the code that runs at runtime.code_base can be read.
void tell_of_runtime(const Runtime& runtime, const u8* bytes, CodeObserver& observer);

}  // namespace vellum
