// What two processors differ in: asked all the time by lockstep, and told when there is something to tell.
#pragma once

#include <string>

#include "cpu/state.hpp"

namespace vellum {

// Everything that a guest can see or feel, hidden parts of segments and model-specific registers included.
bool same_registers(const CpuState& first, const CpuState& other);

// Registers of both states in two columns, with a star where they differ; empty when they are equal.
std::string describe_differences(const CpuState& first, const CpuState& other);

}  // namespace vellum
