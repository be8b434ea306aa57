// The x87 unit's state as FXSAVE keeps it: stack, tags, pending exceptions, and the older environment layouts of
// FSTENV and FSAVE (SDM vol. 1, 8.1). Composed here, never by the host's FNSTENV, which would show host pointers.
#pragma once

#include <span>

#include "cpu/cpu.hpp"

namespace vellum {

namespace x87 {
constexpr u16 exceptions = 0x3F;  // IE DE ZE OE UE PE, in the status and as masks in the control word
constexpr u16 precision = 0x20;
constexpr u16 error_summary = 1u << 7, busy = 1u << 15;
constexpr u16 initial_control = 0x37F;

// Bits 7 and 13-15 of the control word do not exist, bit 6 reads as one.
constexpr u16 control_word(u16 value) { return static_cast<u16>((value & 0x1F3F) | 0x40); }
constexpr u8 top(const FxImage& fpu) { return (fpu.status >> 11) & 7; }
// Exceptions that are flagged and not masked: the next waiting instruction reports them.
constexpr u16 pending(const FxImage& fpu) { return fpu.status & ~fpu.control & exceptions; }

void update_summary(FxImage& fpu);  // ES and B follow flags and masks
void set_top(FxImage& fpu,
             u8 new_top);          // physical registers stay where they are: the image, which is in stack order, turns
u16 tag_word(const FxImage& fpu);  // two bits for each physical register (SDM vol. 1, 8.1.7)
void set_tag_word(FxImage& fpu, u16 tags);
void initialize(FxImage& fpu);                        // FNINIT
void clear_exceptions(FxImage& fpu);                  // FNCLEX
void take_over(FxImage& fpu, const FxImage& result);  // the x87 part alone, SSE registers stay; nor pointers

// Is it one of the instructions that the unit remembers, which are all but those that load, store, clear and look at
// its words (SDM vol. 1, 8.1.8; FNOP, FFREE, FINCSTP and FDECSTP count, as processors have it)?
bool is_remembered(const Instruction& in);

// What the unit remembers of its last instruction: FIP and FCS, and only of one that raised an exception which is not
// masked, FOP and FDP and FDS (docs/decisions/x87-pointers.md).
struct Pointers {
    u16 opcode = 0;  // low three bits of the first byte, and ModRM
    u32 instruction_offset = 0, data_offset = 0;
    u16 instruction_selector = 0, data_selector = 0;
};
Pointers pointers(const FxImage& fpu);
void set_pointers(FxImage& fpu, const Pointers& pointers);
// Of `in`, at `offset` in the code segment, which has raised an exception; its operand lies at `data_offset`, if it has
// one in memory.
Pointers pointers_of(const CpuState& state, const Instruction& in, u32 offset, u32 data_offset);

// The four layouts of the environment: by operand size, and by real (or V86) against protected mode.
struct EnvironmentForm {
    u8 operand_size;  // 2 or 4
    bool real;
    constexpr u32 bytes() const { return operand_size == 4 ? 28 : 14; }
};
void store_environment(const FxImage& fpu, EnvironmentForm form, std::span<u8> out);
void load_environment(FxImage& fpu, EnvironmentForm form, std::span<const u8> in);

// What a waiting instruction does first. A pending exception is #MF; or, while CR0.NE is clear, FERR# is asserted (at
// the next waiting instruction, as P6 processors do: SDM vol. 1, D.2.1) and the instruction is tried again and again,
// until an interrupt handler has cleared the exception or IGNNE# is asserted.
Fault check_pending(Cpu& cpu);
// FERR# goes when no exception is pending any more, or CR0.NE is set.
void update_ferr(Cpu& cpu);

// Runs on with exceptions pending, as IGNNE# permits: the host's unit would report them, so it is not told.
class PendingSetAside {
 public:
    explicit PendingSetAside(FxImage& fpu) : kept_{pending(fpu) ? static_cast<u16>(fpu.status & exceptions) : u16{0}} {
        if (kept_) fpu.status &= static_cast<u16>(~(exceptions | error_summary | busy));
    }
    void put_back(FxImage& fpu) const {
        if (!kept_) return;
        fpu.status |= kept_;
        update_summary(fpu);
    }

 private:
    u16 kept_;
};
}  // namespace x87

}  // namespace vellum
