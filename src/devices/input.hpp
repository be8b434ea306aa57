// What a person does, as the frontend reports it and the keyboard and mouse take it.
#pragma once

#include "base/types.hpp"

namespace vellum {

// `usage` is a USB HID usage of page 7 (HID Usage Tables 1.12, section 10; SDL scancodes are the same numbers):
// a position on the keyboard, not a character. 0x04 is A, 0x28 Enter, 0x29 Escape, 0xE0 left Ctrl.
struct KeyEvent {
    u8 usage;
    bool down;
};

// Movement since the last event: dx to the right, dy downwards, in mickeys; wheel away from the person is negative.
// buttons: bit 0 left, 1 right, 2 middle.
struct MouseEvent {
    i32 dx, dy, wheel;
    u8 buttons;
};

}  // namespace vellum
