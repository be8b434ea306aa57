// A machine with a guest of roms/ in it, for tests: instructions are its clock, the debug port's text is kept.
#pragma once

#include <catch2/catch.hpp>

#include <memory>
#include <span>
#include <string>

#include "machine/firmware.hpp"
#include "machine/machine.hpp"

namespace vellum {

// Adds what arrives to a string.
class TextSink final : public ByteSink {
 public:
    explicit TextSink(std::string& text) : text_{text} {}
    void put(std::span<const u8> bytes) override { text_.append(bytes.begin(), bytes.end()); }

 private:
    std::string& text_;
};

class GuestRun {
 public:
    GuestRun(EngineKind engine, std::span<const u8> kernel, const std::string& append) {
        MachineConfig config;
        config.engine = engine;
        config.clock = ClockKind::Instructions;
        config.memory_bytes = u64{16} << 20;
        BoardParts parts;
        parts.firmware = load_firmware(config);
        parts.firmware.boot = plan_multiboot("guest", kernel, {}, append, config.memory_bytes);
        parts.debug_console = std::make_unique<TextSink>(debug_text_);
        parts.host_time = [] { return Nanoseconds{0}; };
        machine_ = std::make_unique<Machine>(config, std::move(parts), log_);
        machine_->start();
    }

    ~GuestRun() { CHECK(machine_->engine().statistics().blocks_refused == 0); }

    Machine::Slice run_slice() {
        u64 done = machine_->board().state().instructions;
        REQUIRE(done < most_instructions);
        REQUIRE(guest_time() < most_time);                         // a guest that halts for ever retires nothing
        machine_->board().cpu().attention.clear(Attention::Stop);  // nobody else is here to look around
        return machine_->run_slice(done + slice_instructions);
    }

    // Until the debug port has printed `text` since the machine began.
    void run_until_printed(const std::string& text) {
        while (debug_text_.find(text) == std::string::npos) REQUIRE(run_slice().kind == Machine::Slice::Kind::Stopped);
    }

    // At least so much guest time.
    void run_for(Nanoseconds span) {
        Nanoseconds end = guest_time() + span;
        while (guest_time() < end) REQUIRE(run_slice().kind == Machine::Slice::Kind::Stopped);
    }

    // Presses and releases the key; `usage` as in KeyEvent.
    void press(u8 usage) {
        machine_->board().key({usage, true});
        machine_->board().key({usage, false});
    }

    const std::string& printed() const { return debug_text_; }
    std::span<const u8> ram() { return machine_->board().ram(); }

    Nanoseconds guest_time() { return machine_->board().clock().guest_time(); }

    const Picture& picture() {
        machine_->board().update_picture(picture_);
        return picture_;
    }

 private:
    static constexpr u64 most_instructions = 400'000'000, slice_instructions = 1'000'000;
    static constexpr Nanoseconds most_time = 60 * second;

    std::string debug_text_;
    Log log_;
    std::unique_ptr<Machine> machine_;
    Picture picture_;
};

}  // namespace vellum
