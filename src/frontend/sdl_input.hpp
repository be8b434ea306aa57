// From SDL's events to the guest's keyboard and mouse, and the hot keys that are ours.
#pragma once

#include <SDL.h>

#include <bitset>

#include "frontend/frontend.hpp"

namespace vellum {

enum class HotKey : u8 { None, ToggleGrab, ToggleFullscreen, ToggleScaling, Screenshot, Save };

class SdlInput {
 public:
    explicit SdlInput(MachineControl& control) : control_{control} {}

    // Sends the key on, or tells which hot key it was (Ctrl and Alt held); that one does not reach the guest.
    HotKey key(const SDL_KeyboardEvent& event);
    // Keys that the guest believes pressed are released: the window will not see them go up.
    void release_all();

    // Movements add up until flush() or a button changes.
    void motion(i32 dx, i32 dy);
    void button(u8 sdl_button, bool down);
    void wheel(i32 away);
    void flush();

 private:
    MachineControl& control_;
    std::bitset<256> pressed_;
    MouseEvent pending_{};
};

}  // namespace vellum
