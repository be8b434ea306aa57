// What all string instructions share: their registers by address size, repetition, and runs of elements that lie in one
// page of plain memory (SDM vol. 1, 7.3.9; vol. 2, REP).
#pragma once

#include <algorithm>

#include "cpu/cpu.hpp"
#include "cpu/memory_access.hpp"

namespace vellum {

constexpr u8 ecx_number = 1, esi_number = 6, edi_number = 7;

// The registers of one string instruction, masked to the address size, and the step of its direction.
class StringWalk {
 public:
    StringWalk(Cpu& cpu, const Instruction& in, u8 size)
        : cpu_{cpu},
          wide_{in.address_size == 4},
          size_{size},
          step_{cpu.state.eflags & eflags::df ? ~u32{size} + 1 : u32{size}} {}

    u32 get(u8 reg) const { return wide_ ? cpu_.get32(reg) : cpu_.get16(reg); }
    void set(u8 reg, u32 value) {
        if (wide_)
            cpu_.set32(reg, value);
        else
            cpu_.set16(reg, static_cast<u16>(value));
    }
    void advance(u8 reg, u32 elements = 1) { set(reg, get(reg) + elements * step_); }
    bool backward() const { return step_ >> 31; }

    // The host address of the element at `offset`, when it can be read (written) by plain loads (stores) and `count`
    // elements from there in walking direction are in the same page and permitted. Shrinks `count` to what is; null
    // when one element is too much for this road.
    template <Access access>
    auto run(Seg segment, u32 offset, u64& count) const {
        using Pointer = std::conditional_t<access == Access::Write, u8*, const u8*>;
        Linear linear = access_detail::linear_of(cpu_.state.segment(segment), offset);
        u32 in_page = offset_in_page(linear), top = wide_ ? 0xFFFFFFFF : 0xFFFF;
        if (in_page + size_ > page_size || u64{offset} + size_ - 1 > top) return Pointer{};
        u64 in_page_fit = backward() ? in_page / size_ + 1 : (page_size - in_page) / size_;
        u64 unwrapped = backward() ? u64{offset} / size_ + 1 : (u64{top} - offset + 1) / size_;
        count = std::min({count, in_page_fit, unwrapped});
        u32 bytes = static_cast<u32>(count) * size_;
        u32 lowest = backward() ? offset - (bytes - size_) : offset;
        if (access_detail::alignment_checked(cpu_.state) || !cpu_.to_linear(segment, lowest, bytes, access))
            return Pointer{};
        Pointer page;
        if constexpr (access == Access::Write)
            page = cpu_.mmu.write_page(page_of(linear), cpu_.privilege());
        else
            page = cpu_.mmu.read_page(page_of(linear), cpu_.privilege());
        return page ? page + in_page : nullptr;
    }

 private:
    Cpu& cpu_;
    bool wide_;
    u8 size_;
    u32 step_;
};

// Whether an iteration was the last one (Yes), or the last one for now (Pause), for another reason than the count.
enum class Ended : u8 { No, Yes, Pause };

// Attention is looked at between calls of a string function only, so one call does no more than this.
constexpr u64 most_iterations_at_once = 4096;

// An iteration touched what the guest's breakpoints or a debugger's watch.
inline bool watched_touched(const Cpu& cpu) { return cpu.state.debug_traps || cpu.debug.reached(); }

// Drives REP. `once(ended)` does one iteration and its pointer updates, or faults having changed nothing; `bulk(n)`
// does up to n iterations that cannot fault and returns how many, 0 if it cannot. Counts retired iterations all but
// one, which the engine counts; an instruction with iterations left returns `retired` with EIP still on it. After a
// fault the registers tell of the iterations done, as the manual demands for restarting. An iteration that touches what
// is watched is the last one for now. While iterations are left RF is set, as traps and interrupts between them save it
// (SDM 3B 17.3.1.1): an instruction breakpoint is not hit again by the rest.
template <typename Once, typename Bulk>
Fault repeat(Cpu& cpu, const Instruction& in, StringWalk& walk, Once once, Bulk bulk) {
    Ended ended = Ended::No;
    if (!in.rep && !in.repne) return once(ended);
    CpuState& state = cpu.state;
    u64 count = walk.get(ecx_number), done = 0;
    if (count == 0) return Fault::none();
    u64 allowed = state.instruction_limit > state.instructions ? state.instruction_limit - state.instructions : 1;
    u64 budget = std::min({count, allowed, most_iterations_at_once});
    while (done < budget && ended == Ended::No && !(done && watched_touched(cpu))) {
        u64 now = bulk(budget - done);
        if (now == 0) {
            if (Fault f = once(ended)) return f;
            now = 1;
        }
        done += now;
        state.instructions += now;  // at once: where instructions are the clock, devices see each iteration at its time
        walk.set(ecx_number, static_cast<u32>(count - done));
    }
    --state.instructions;
    if (done == count || ended == Ended::Yes) return Fault::none();
    state.eflags |= eflags::rf;
    return Fault::retired();
}

constexpr auto no_bulk = [](u64) { return u64{0}; };

}  // namespace vellum
