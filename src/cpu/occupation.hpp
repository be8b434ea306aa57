// What the vCPU thread is doing, in one word that another thread may read at any time: who wants to know where time
// goes samples it (machine/time_sampler.hpp). Noting it is one store, and nobody reads a clock for it.
#pragma once

#include <array>
#include <atomic>
#include <compare>
#include <string>
#include <string_view>

#include "cpu/instruction.hpp"

namespace vellum {

class Occupation {
 public:
    enum class Kind : u8 {
        Other,
        Translated,   // in translated code
        Dispatch,     // looking for the block that comes next, linking it, entering and leaving
        Translation,  // making blocks
        Views,        // comparing a view with the guest's page tables before it is used again
        Interpreted,  // instructions that no block left to the interpreter
        Callout,      // ... and those that one did, by mnemonic, or `faulted`
        WindowFault,  // host faults of translated code, by Fault
        Interrupts,   // delivering one
        Devices,      // port, MMIO, timers, the time
        Idle,
    };
    static constexpr std::size_t kinds = static_cast<std::size_t>(Kind::Idle) + 1;
    enum class Fault : u8 { WindowFill, GuestPageFault, Mmio, CodeWrite, Other };
    static constexpr u32 faulted = ZYDIS_MNEMONIC_MAX_VALUE + 1;  // in place of a mnemonic: it faulted on the host

    // What a word stands for.
    struct Doing {
        Kind kind = Kind::Other;
        u32 detail = 0;  // of Callout and WindowFault
        bool operator==(const Doing&) const = default;
        auto operator<=>(const Doing&) const = default;
    };
    static Doing callout(u32 mnemonic) { return {Kind::Callout, mnemonic}; }
    static Doing fault(Fault fault) { return {Kind::WindowFault, static_cast<u32>(fault)}; }

    void note(Doing doing) { set_word(static_cast<u32>(doing.kind) | doing.detail << 8); }
    void note(Kind kind) { note(Doing{kind, 0}); }
    // Any thread.
    Doing doing() const { return {static_cast<Kind>(word() & 0xFF), word() >> 8}; }

 private:
    friend class OccupationScope;
    u32 word() const { return word_.load(std::memory_order_relaxed); }
    void set_word(u32 word) { word_.store(word, std::memory_order_relaxed); }

    std::atomic<u32> word_ = 0;
};

// For what is done in the middle of something else.
class OccupationScope {
 public:
    OccupationScope(Occupation& occupation, Occupation::Doing doing)
        : occupation_{occupation}, before_{occupation.word()} {
        occupation.note(doing);
    }
    OccupationScope(Occupation& occupation, Occupation::Kind kind)
        : OccupationScope{occupation, Occupation::Doing{kind, 0}} {}
    ~OccupationScope() { occupation_.set_word(before_); }
    OccupationScope(const OccupationScope&) = delete;
    OccupationScope& operator=(const OccupationScope&) = delete;

 private:
    Occupation& occupation_;
    u32 before_;
};

// As `--stats` names them: "translated", "callouts", ..., and for the detail of one "iretd", "window_fill", ...
std::string_view name_of(Occupation::Kind kind);
std::string name_of_detail(const Occupation::Doing& doing);

}  // namespace vellum
