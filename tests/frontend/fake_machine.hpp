// A machine that shows what a test gives it and notes what it is told.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "frontend/frontend.hpp"

namespace vellum {

struct FakeMachine final : MachineControl {
    Picture shown;
    TextScreen characters;
    u64 newest = 1;
    bool is_text = true;
    std::vector<KeyEvent> keys;
    std::vector<MouseEvent> movements;
    u32 looks = 0, looks_until_finished = 5;
    bool quit_requested = false;
    u32 screenshots = 0, saves = 0;
    std::string message;
    MachineStatus state{GuestState::Running, 12.6, "bt"};

    bool picture(Picture& out, u64& generation) override {
        ++looks;
        if (generation == newest) return false;
        generation = newest;
        out = shown;
        return true;
    }
    bool text(TextScreen& out, u64& generation) override {
        ++looks;
        if (!is_text || generation == newest) return false;
        generation = newest;
        out = characters;
        return true;
    }
    bool text_mode() const override { return is_text; }
    void key(KeyEvent event) override { keys.push_back(event); }
    void mouse(MouseEvent event) override { movements.push_back(event); }
    MachineStatus status() const override { return state; }
    void wait_until_finished() const override {}
    bool finished() const override { return quit_requested || looks >= looks_until_finished; }
    void request_quit() override { quit_requested = true; }
    void request_screenshot() override { ++screenshots; }
    void request_save() override { ++saves; }
    std::string take_message() override { return std::exchange(message, {}); }
};

// "+04-04" for A pressed and released.
inline std::string written(const std::vector<KeyEvent>& events) {
    constexpr char digits[] = "0123456789ABCDEF";
    std::string text;
    for (const KeyEvent& event : events)
        (text += event.down ? '+' : '-') += {digits[event.usage >> 4], digits[event.usage & 15]};
    return text;
}

}  // namespace vellum
