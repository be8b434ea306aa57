// Running in stretches, comparing, and showing what differs.
#include "machine/lockstep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace vellum {

namespace {

constexpr u64 stretch = 500;                 // instructions between comparisons of registers
constexpr u64 memory_interval = 10'000'000;  // and of all memory

class Columns {
 public:
    void row(const std::string& name, u64 first, u64 second) {
        if (first != second) ++differences_;
        text_ += fmt::format("{} {:<14} {:016x}  {:016x}\n", first != second ? '*' : ' ', name, first, second);
    }
    void bytes(const std::string& name, const u8* first, const u8* second, std::size_t count) {
        for (std::size_t i = 0; i < count; i += 8) {
            u64 a = 0, b = 0;
            std::memcpy(&a, first + i, 8);
            std::memcpy(&b, second + i, 8);
            if (a != b) row(fmt::format("{}+{}", name, i), a, b);
        }
    }
    void segment(const std::string& name, const Segment& a, const Segment& b) {
        row(name, a.selector, b.selector);
        if (a.base != b.base) row(name + " base", a.base, b.base);
        if (a.limit != b.limit) row(name + " limit", a.limit, b.limit);
        if (a.access != b.access) row(name + " access", a.access, b.access);
    }
    std::string text() const { return differences_ ? text_ : std::string{}; }

 private:
    std::string text_;
    int differences_ = 0;
};

}  // namespace

std::string describe_differences(const CpuState& a, const CpuState& b) {
    constexpr const char* registers[8] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    constexpr const char* segments[6] = {"es", "cs", "ss", "ds", "fs", "gs"};
    Columns c;
    for (int i = 0; i < 8; ++i) c.row(registers[i], a.gpr[i], b.gpr[i]);
    c.row("eip", a.eip, b.eip);
    c.row("eflags", a.eflags, b.eflags);
    c.row("instructions", a.instructions, b.instructions);
    for (int i = 0; i < 6; ++i) c.segment(segments[i], a.seg[i], b.seg[i]);
    c.segment("ldtr", a.ldtr, b.ldtr);
    c.segment("tr", a.tr, b.tr);
    c.row("cr0", a.cr0, b.cr0);
    c.row("cr2", a.cr2, b.cr2);
    c.row("cr3", a.cr3, b.cr3);
    c.row("cr4", a.cr4, b.cr4);
    c.row("efer", a.efer, b.efer);
    c.row("cpl", a.cpl, b.cpl);
    c.row("activity", static_cast<u8>(a.activity), static_cast<u8>(b.activity));
    c.row("shadow", static_cast<u8>(a.shadow), static_cast<u8>(b.shadow));
    c.row("gdtr", a.gdtr.base ^ u64{a.gdtr.limit} << 48, b.gdtr.base ^ u64{b.gdtr.limit} << 48);
    c.row("idtr", a.idtr.base ^ u64{a.idtr.limit} << 48, b.idtr.base ^ u64{b.idtr.limit} << 48);
    for (int i = 0; i < 8; ++i) c.row(fmt::format("dr{}", i), a.dr[i], b.dr[i]);
    c.row("fpu control", a.fpu.control, b.fpu.control);
    c.row("fpu status", a.fpu.status, b.fpu.status);
    c.row("fpu tags", a.fpu.tags, b.fpu.tags);
    c.row("mxcsr", a.fpu.mxcsr, b.fpu.mxcsr);
    for (int i = 0; i < 8; ++i) {
        // Bytes 10-15 of a register's slot are reserved.
        u16 high_a = 0, high_b = 0;
        std::memcpy(&high_a, a.fpu.st[i] + 8, 2);
        std::memcpy(&high_b, b.fpu.st[i] + 8, 2);
        c.bytes(fmt::format("st{}", i), a.fpu.st[i], b.fpu.st[i], 8);
        if (high_a != high_b) c.row(fmt::format("st{} high", i), high_a, high_b);
        c.bytes(fmt::format("xmm{}", i), a.fpu.xmm[i], b.fpu.xmm[i], 16);
    }
    return c.text();
}

LockstepEngine::LockstepEngine(std::unique_ptr<Engine> first, Board& board, Machine& shadow)
    : first_{std::move(first)}, board_{board}, shadow_{shadow}, next_memory_check_{memory_interval} {}

// Brings the shadow to the same number of instructions.
void LockstepEngine::follow() {
    CpuState& state = shadow_.board().state();
    u64 target = board_.state().instructions;
    while (state.instructions < target) {
        shadow_.board().cpu().attention.clear(Attention::Stop);
        Machine::Slice slice = shadow_.run_slice(target);
        if (slice.kind != Machine::Slice::Kind::Stopped) break;
    }
}

void LockstepEngine::compare_memory() {
    auto ours = board_.memory().backing().bytes(), shadows = shadow_.board().memory().backing().bytes();
    for (std::size_t page = 0; page < ours.size(); page += page_size) {
        if (std::memcmp(ours.data() + page, shadows.data() + page, page_size) == 0) continue;
        std::size_t at = page;
        while (ours[at] == shadows[at]) ++at;
        throw LockstepDifference(
            fmt::format("memory differs at storage offset {:#x}: {:02x} and {:02x} (last equal: {})", at, ours[at],
                        shadows[at], last_equal_));
    }
}

void LockstepEngine::compare() {
    const CpuState &ours = board_.state(), &shadows = shadow_.board().state();
    std::string differences = describe_differences(ours, shadows);
    if (!differences.empty())
        throw LockstepDifference(fmt::format("the engines differ between instruction {} and {}; {} and interp:\n{}",
                                             last_equal_, ours.instructions, first_->name(), differences));
    last_equal_ = ours.instructions;
    if (ours.instructions < next_memory_check_) return;
    next_memory_check_ = ours.instructions + memory_interval;
    compare_memory();
}

Stop LockstepEngine::run() {
    CpuState& state = board_.state();
    for (;;) {
        u64 outer = state.instruction_limit;
        u64 stop_at = std::min(outer, state.instructions + stretch);
        state.instruction_limit = stop_at;
        DebugPoints& debug = board_.cpu().debug;
        shadow_.board().cpu().debug.begin_run(debug.stepping());  // a single step holds interrupts off on both
        Stop stop = first_->run();
        follow();
        // The shadow knows no breakpoints: it may be about to take the interrupt whose handler begins with one.
        if (stop == Stop::Debug) return stop;
        // A reset or power-off waits to be handled: the shadow has handled its own already.
        if (board_.has_events()) return stop;
        compare();
        bool deadline_moved = state.instruction_limit != stop_at || outer <= state.instructions;
        if (stop != Stop::InstructionLimit || deadline_moved) return stop;
        state.instruction_limit = outer;
    }
}

}  // namespace vellum
