// Scan codes of a 102-key PS/2 keyboard, and the keyboard controller's translation of set 2 to set 1 (Microsoft
// Keyboard Scan Code Specification 1.3a, appendices A to C; IBM PS/2 Technical Reference, keyboard section).
#pragma once

#include <array>

#include "base/types.hpp"

namespace vellum {

struct ScanCode {
    u8 set2 = 0;
    bool extended = false;  // E0 comes before it (sets 1 and 2)
    u8 set3 = 0;            // 0: the key does not exist in set 3
};

// By HID usage; set2 is 0 for what is no key of this keyboard. Pause and PrintScreen have sequences of their own.
extern const std::array<ScanCode, 256> scan_codes;

// What the controller makes of a byte of set 2. The prefix F0 becomes bit 7 of the code after it.
extern const std::array<u8, 256> set2_to_set1;

constexpr u8 usage_print_screen = 0x46, usage_pause = 0x48;
constexpr u8 usage_left_control = 0xE0, usage_left_shift = 0xE1, usage_left_alt = 0xE2;
constexpr u8 usage_right_control = 0xE4, usage_right_shift = 0xE5, usage_right_alt = 0xE6;

}  // namespace vellum
