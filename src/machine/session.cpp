// Work between slices, waiting, and what frontends are shown.
#include "machine/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <utility>

#include "base/host_error.hpp"
#include "frontend/png.hpp"
#include "machine/snapshot.hpp"

namespace vellum {

namespace {
constexpr Nanoseconds longest_wait = second;  // an idle machine still measures its speed now and then
}

Session::Session(Machine& machine, FileAccess& files, std::string engine_name, bool host_clock, EndWanted& end)
    : machine_{machine},
      files_{files},
      engine_name_{std::move(engine_name)},
      host_clock_{host_clock},
      keys_{machine.board()},
      end_{end} {
    machine.board().scheduler().set_ended([this] { return end_.asked(); });
}

void Session::post(std::function<void()> work) {
    {
        std::lock_guard lock{mutex_};
        work_.push_back(std::move(work));
    }
    machine_.board().cpu().attention.raise(Attention::Stop);
    posted_.notify_one();
}

void Session::end(int exit_status) {
    end_.ask(exit_status);
    machine_.board().cpu().attention.raise(Attention::Stop);
    std::lock_guard lock{mutex_};  // nobody is between looking and waiting
    posted_.notify_all();
}

void Session::pause() {
    post([this] { hold(Holder::Person); });
}

void Session::resume() {
    post([this] { release(Holder::Person); });
}

void Session::hold(Holder who) {
    holders_ |= static_cast<u8>(who);
    machine_.stop();
}

void Session::release(Holder who) {
    holders_ &= static_cast<u8>(~static_cast<u8>(who));
    if (holders_ == 0 && started_) machine_.start();
}

void Session::save(const std::string& path) {
    machine_.stop();
    std::exception_ptr trouble;
    // A snapshot that is a part of the ending is not given up for it.
    Ending ending;
    if (!end_.asked()) ending = [this] { return end_.asked(); };
    try {
        if (!machine_.board().flush_disks()) throw HostError("disk image: the host could not write all of it");
        machine_.compare_boards();
        save_snapshot(machine_.board(), files_, path, std::move(ending));
    } catch (...) {
        trouble = std::current_exception();
    }
    if (holders_ == 0 && !finished_) machine_.start();
    if (trouble) std::rethrow_exception(trouble);
}

void Session::write_screenshot(const std::string& path) {
    std::string png;
    try {
        png = encode_png(machine_.board().screenshot());
    } catch (const HostError& trouble) {
        throw HostError(fmt::format("{}: {}", path, trouble.what()));
    }
    write_file(files_, FileWish::Picture, path, png);
}

// What a person asked for with a key: vellum-N.ENDING.
void Session::write_to_free_name(const char* ending, void (Session::*write)(const std::string& path)) {
    post([this, ending, write] {
        std::string message;
        try {
            std::string path = files_.ask(FileWish::FreeName, ending).name;
            (this->*write)(path);
            message = fmt::format("saved {}", path);
        } catch (const std::runtime_error& trouble) {  // HostError or GivenUp
            message = trouble.what();
        }
        std::lock_guard lock{mutex_};
        message_ = std::move(message);
    });
}

void Session::request_screenshot() { write_to_free_name("png", &Session::write_screenshot); }
void Session::request_save() { write_to_free_name("snapshot", &Session::save); }

std::string Session::take_message() {
    std::lock_guard lock{mutex_};
    return std::exchange(message_, {});
}

void Session::do_posted_work() {
    std::unique_lock lock{mutex_};
    while (!work_.empty() && !end_.asked()) {
        auto work = std::move(work_.front());
        work_.pop_front();
        lock.unlock();
        work();
        lock.lock();
    }
}

void Session::wait(Nanoseconds guest_deadline) {
    Nanoseconds now = machine_.board().clock().guest_time();
    Nanoseconds span = std::min(longest_wait, guest_deadline > now ? guest_deadline - now : 0);
    std::unique_lock lock{mutex_};
    OccupationScope scope{machine_.board().cpu().occupation, Occupation::Kind::Idle};
    if (holders_ || !host_clock_)  // guest time stands: only posted work changes anything
        posted_.wait(lock, [this] { return !work_.empty() || end_.asked(); });
    else
        posted_.wait_for(lock, std::chrono::nanoseconds{span}, [this] { return !work_.empty() || end_.asked(); });
}

int Session::run() {
    started_ = true;
    if (holders_ == 0) machine_.start();
    measured_instructions_ = machine_.board().state().instructions;
    measured_at_ = machine_.board().clock().guest_time();
    while (!end_.asked()) {
        // Cleared before the work is looked at: what is posted later raises it again.
        machine_.board().cpu().attention.clear(Attention::Stop);
        do_posted_work();
        if (end_.asked()) break;
        if (holders_) {
            set_state(GuestState::Paused);
            wait(~Nanoseconds{0});
            continue;
        }
        set_state(GuestState::Running);
        Machine::Slice slice = machine_.run_slice();
        measure_speed();
        if (slice.kind == Machine::Slice::Kind::Ended) {
            guest_ended_ = true;  // whoever asked for the end at the same time
            end_.ask(slice.exit_status);
        } else if (slice.kind == Machine::Slice::Kind::Idle) {
            set_state(GuestState::Idle);
            wait(slice.until);
        } else if (slice.kind == Machine::Slice::Kind::Ahead) {
            Board& board = machine_.board();
            Nanoseconds before = board.clock().guest_time();
            wait(slice.until);
            board.catch_up(board.clock().guest_time() - before);
        } else if (slice.kind == Machine::Slice::Kind::Debug && on_debug_stop) {
            on_debug_stop();
        }
    }
    machine_.board().finish_sending();
    refresh_screens();
    set_state(GuestState::Finished);
    mark_finished();
    return *end_.status();
}

// --- screens: drawn by the vCPU thread when somebody asked since the last time

void Session::refresh_screens() {
    refresh_asked_ = false;
    Board& board = machine_.board();
    bool new_picture = board.update_picture(drawn_);
    bool new_text = board.update_text(drawn_text_);
    text_mode_ = drawn_text_.columns != 0;
    std::lock_guard lock{screen_mutex_};
    if (new_picture) {
        picture_ = drawn_;
        ++picture_generation_;
    }
    if (new_text) {
        text_ = drawn_text_;
        ++text_generation_;
    }
}

bool Session::picture(Picture& out, u64& generation) {
    if (!finished_ && !refresh_asked_.exchange(true)) post([this] { refresh_screens(); });
    std::lock_guard lock{screen_mutex_};
    if (generation == picture_generation_) return false;
    generation = picture_generation_;
    out = picture_;
    return true;
}

bool Session::text(TextScreen& out, u64& generation) {
    if (!finished_ && !refresh_asked_.exchange(true)) post([this] { refresh_screens(); });
    std::lock_guard lock{screen_mutex_};
    if (generation == text_generation_ || text_.columns == 0) return false;
    generation = text_generation_;
    out = text_;
    return true;
}

// --- people

void Session::key(KeyEvent event) {
    post([this, event] { keys_.add(event); });
}

void Session::mouse(MouseEvent event) {
    post([this, event] { machine_.board().mouse(event); });
}

void Session::measure_speed() {
    Nanoseconds now = machine_.board().clock().guest_time();
    if (now - measured_at_ < second) return;
    u64 instructions = machine_.board().state().instructions;
    if (host_clock_)
        mips_ = static_cast<double>(instructions - measured_instructions_) * 1000.0 /
                static_cast<double>(now - measured_at_);
    measured_instructions_ = instructions;
    measured_at_ = now;
}

MachineStatus Session::status() const { return {state_, mips_, engine_name_}; }

}  // namespace vellum
