// One running machine as other threads see it: they post work, the vCPU thread does it between slices.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

#include "frontend/frontend.hpp"
#include "machine/end_wanted.hpp"
#include "machine/file_access.hpp"
#include "machine/machine.hpp"
#include "machine/typist.hpp"

namespace vellum {

class Session final : public MachineControl {
 public:
    // `end` outlives the session; others may know of it before there is one.
    Session(Machine& machine, FileAccess& files, std::string engine_name, bool host_clock, EndWanted& end);

    // The vCPU thread's life: returns the exit status.
    int run();

    // --- any thread
    void post(std::function<void()> work);  // done on the vCPU thread, in order
    void end(int exit_status);              // the first status given counts; waits for no posted work
    void mark_finished() {                  // the vCPU thread is gone
        finished_ = true;
        finished_.notify_all();
    }
    void pause();
    void resume();

    // --- vCPU thread, or when that is gone
    // Writes a snapshot; guest time stands meanwhile. Throws HostError, and GivenUp when the end is asked for
    // meanwhile.
    void save(const std::string& path);
    void write_screenshot(const std::string& path);    // throws HostError
    bool guest_ended() const { return guest_ended_; }  // by itself: nothing is left that could go on

    // --- vCPU thread, or before run(). The machine stands still, and guest time under the host's clock, while anybody
    // holds it.
    enum class Holder : u8 { Person = 1, Debugger = 2 };
    void hold(Holder who);
    void release(Holder who);
    std::function<void()> on_debug_stop;  // the engine stopped for Cpu::debug; whoever listens holds the machine

    bool picture(Picture& out, u64& generation) override;
    bool text(TextScreen& out, u64& generation) override;
    bool text_mode() const override { return text_mode_; }
    void key(KeyEvent event) override;
    void mouse(MouseEvent event) override;
    MachineStatus status() const override;
    bool finished() const override { return finished_; }
    void wait_until_finished() const override { finished_.wait(false); }
    void request_quit() override { end(exit_status::ok); }
    void request_screenshot() override;
    void request_save() override;
    std::string take_message() override;

 private:
    void do_posted_work();
    void wait(Nanoseconds guest_deadline);
    void refresh_screens();
    void measure_speed();
    void set_state(GuestState state) { state_ = state; }

    void write_to_free_name(const char* ending, void (Session::*write)(const std::string& path));

    Machine& machine_;
    FileAccess& files_;
    std::string engine_name_;
    bool host_clock_;
    KeyQueue keys_;

    mutable std::mutex mutex_;  // posted work, status
    std::condition_variable posted_;
    std::deque<std::function<void()>> work_;
    EndWanted& end_;
    std::string message_;
    bool guest_ended_ = false, started_ = false;
    u8 holders_ = 0;

    std::atomic<GuestState> state_ = GuestState::Running;
    std::atomic<bool> finished_ = false, text_mode_ = true, refresh_asked_ = false;
    std::atomic<double> mips_ = 0;
    u64 measured_instructions_ = 0;
    Nanoseconds measured_at_ = 0;

    mutable std::mutex screen_mutex_;
    Picture picture_;
    TextScreen text_;
    u64 picture_generation_ = 0, text_generation_ = 0;
    Picture drawn_;  // vCPU thread: what update_picture works on
    TextScreen drawn_text_;
};

}  // namespace vellum
