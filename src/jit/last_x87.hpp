// Where the guest's last x87 instruction was, as translated code tells it: a constant that is stored behind the last of
// them before control may go elsewhere (docs/decisions/x87-pointers.md).
#pragma once

#include "base/types.hpp"

namespace vellum {

struct LastX87 {
    static constexpr u32 nothing = 0x100;
    static constexpr u8 loaded_control = 0x55;

    // Translated code stores both words behind an instruction: its EIP, sign-extended. Behind FLDCW, the lowest byte of
    // the second.
    u32 offset = 0, above = nothing;

    void forget() { *this = {}; }
    // Has an instruction been executed since?
    bool is_known() const { return above >> 8 == 0 || above >> 8 == 0xFFFFFF; }
    // Was the control word loaded since, behind it?
    bool control_was_loaded() const { return (above & 0xFF) == loaded_control; }
};

}  // namespace vellum
