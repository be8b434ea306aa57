// From characters and key names to keys of a US keyboard: for the terminal and for scripts.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "devices/input.hpp"

namespace vellum {

// HID usages of keys that several parts name.
namespace usage {
constexpr u8 a = 0x04, one = 0x1E, zero = 0x27, enter = 0x28, escape = 0x29, backspace = 0x2A, tab = 0x2B, space = 0x2C;
constexpr u8 f1 = 0x3A, insert = 0x49, home = 0x4A, page_up = 0x4B, del = 0x4C, end = 0x4D, page_down = 0x4E;
constexpr u8 right = 0x4F, left = 0x50, down = 0x51, up = 0x52;
constexpr u8 left_ctrl = 0xE0, left_shift = 0xE1, left_alt = 0xE2;
}  // namespace usage

// A key pressed and released while modifiers are held.
struct Keystroke {
    u8 usage = 0;
    bool shift = false, ctrl = false, alt = false;
    bool operator==(const Keystroke&) const = default;
};

// The keystroke that types an ASCII character, control characters included ('\n' and '\r' are Enter, 0x7F and '\b'
// backspace, 0x01 Ctrl+A). Nothing for bytes over 0x7F.
std::optional<Keystroke> keystroke_of(char character);

// The events of a keystroke, in order, at the end of `events`.
void append(std::vector<KeyEvent>& events, const Keystroke& stroke);

// Types ASCII text; characters that no key types are left out.
std::vector<KeyEvent> keys_for_text(std::string_view text);

// Keys joined by '-', pressed in order and released in reverse: "ret", "a", "f1", "shift-a", "ctrl-alt-delete".
// Nothing when a name is not known.
std::optional<std::vector<KeyEvent>> keys_for_names(std::string_view names);

}  // namespace vellum
