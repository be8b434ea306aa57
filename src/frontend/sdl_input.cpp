// SDL's scancodes are HID usages, so that keys need no table.
#include "frontend/sdl_input.hpp"

namespace vellum {

namespace {

constexpr int last_usage = 0xE7;

HotKey hot_key(SDL_Scancode code) {
    switch (code) {
        case SDL_SCANCODE_G: return HotKey::ToggleGrab;
        case SDL_SCANCODE_F: return HotKey::ToggleFullscreen;
        case SDL_SCANCODE_S: return HotKey::ToggleScaling;
        case SDL_SCANCODE_P: return HotKey::Screenshot;
        case SDL_SCANCODE_W: return HotKey::Save;
        default: return HotKey::None;
    }
}

u8 button_bit(u8 sdl_button) {
    switch (sdl_button) {
        case SDL_BUTTON_LEFT: return 1;
        case SDL_BUTTON_RIGHT: return 2;
        case SDL_BUTTON_MIDDLE: return 4;
        default: return 0;
    }
}

}  // namespace

HotKey SdlInput::key(const SDL_KeyboardEvent& event) {
    const SDL_Scancode code = event.keysym.scancode;
    if (code <= SDL_SCANCODE_UNKNOWN || code > last_usage) return HotKey::None;
    const bool down = event.type == SDL_KEYDOWN;
    const bool ours = down && (event.keysym.mod & KMOD_CTRL) && (event.keysym.mod & KMOD_ALT);
    if (ours && !pressed_[code] && hot_key(code) != HotKey::None) return event.repeat ? HotKey::None : hot_key(code);
    // A release without a press belongs to a hot key or to a press from before the window had the focus.
    if (!down && !pressed_[code]) return HotKey::None;
    pressed_[code] = down;
    control_.key({static_cast<u8>(code), down});
    return HotKey::None;
}

void SdlInput::release_all() {
    for (std::size_t code = 0; code < pressed_.size(); ++code)
        if (pressed_[code]) control_.key({static_cast<u8>(code), false});
    pressed_.reset();
    const bool buttons = pending_.buttons != 0;
    pending_.buttons = 0;
    if (buttons) control_.mouse(pending_);
    pending_ = {};
}

void SdlInput::motion(i32 dx, i32 dy) {
    pending_.dx += dx;
    pending_.dy += dy;
}

void SdlInput::button(u8 sdl_button, bool down) {
    const u8 bit = button_bit(sdl_button);
    if (bit == 0 || static_cast<bool>(pending_.buttons & bit) == down) return;
    pending_.buttons ^= bit;
    control_.mouse(pending_);
    pending_ = {0, 0, 0, pending_.buttons};
}

void SdlInput::wheel(i32 away) { pending_.wheel -= away; }

void SdlInput::flush() {
    if (pending_.dx == 0 && pending_.dy == 0 && pending_.wheel == 0) return;
    control_.mouse(pending_);
    pending_ = {0, 0, 0, pending_.buttons};
}

}  // namespace vellum
