// The face towards a person, and all that it may ask of the running machine.
#pragma once

#include <optional>
#include <string>

#include "devices/input.hpp"
#include "devices/picture.hpp"

namespace vellum {

enum class GuestState : u8 { Running, Idle, Paused, Finished };

struct MachineStatus {
    GuestState state = GuestState::Running;
    double mips = 0;     // guest instructions per wall microsecond over the last second; 0 when not known
    std::string engine;  // "bt", "interp", "lockstep"
};

// Implemented by the machine's runner. Every call may come from any thread; all but the one that waits return at once.
class MachineControl {
 public:
    virtual ~MachineControl() = default;
    // Copies the newest picture when its generation differs from `generation` (then updated); false: nothing new.
    virtual bool picture(Picture& out, u64& generation) = 0;
    // The same for the characters; false also while the guest is in a graphics mode (see text_mode).
    virtual bool text(TextScreen& out, u64& generation) = 0;
    virtual bool text_mode() const = 0;
    virtual void key(KeyEvent) = 0;
    virtual void mouse(MouseEvent) = 0;
    virtual MachineStatus status() const = 0;
    virtual bool finished() const = 0;
    virtual void wait_until_finished() const = 0;
    virtual void request_quit() = 0;
    // Write a picture of the screen, or a snapshot of the machine, to a file with a name that is free; what became of
    // it is the next message.
    virtual void request_screenshot() = 0;
    virtual void request_save() = 0;
    // What the machine has to tell the person since the last call; empty: nothing.
    virtual std::string take_message() = 0;
};

// Runs on the main thread until the machine is finished or the person closes it (then it calls request_quit and
// still waits for finished()).
class Frontend {
 public:
    virtual ~Frontend() = default;
    virtual void run(MachineControl&) = 0;
    // Whether MachineStatus::mips is shown to anybody: measuring it costs a little.
    virtual bool shows_speed() const { return false; }
};

}  // namespace vellum
