// SSE and MMX instructions that are about state and memory, not computation (SDM vol. 1, 10.4.6, 10.5 and 11.4.4).
#include "cpu/simd_state.hpp"

#include <bit>
#include <cstring>

#include "cpu/fpu.hpp"
#include "cpu/memory_access.hpp"

namespace vellum {

namespace {

constexpr u32 mxcsr_bits = 0xFFFF;
// The parts of the image (SDM vol. 1, table 10-2). Outside 64-bit mode FXSAVE writes nothing behind XMM7.
constexpr u32 without_xmm = offsetof(FxImage, xmm), with_xmm = offsetof(FxImage, rest);

// FXSAVE and FXRSTOR check the segment for their first byte, then the alignment, then all the rest; the 16-byte
// operands of others check the alignment first. Which of #AC and #GP it is, where both could be, varies with the
// processor (SDM 2, FXSAVE).
Fault check_image(const Cpu& cpu, const Instruction& in, u32 offset, Access access) {
    if (Fault fault = cpu.check_alignment(in.memory.segment, offset, 1, 16, access)) return fault;
    OrFault<Linear> linear = cpu.to_linear(in.memory.segment, offset, 1, access);
    return linear ? check_aligned(cpu, in.memory.segment, offset) : linear.fault();
}

bool loads_xmm(const Cpu& cpu) { return cpu.state.cr4 & cr4::osfxsr; }

// The bytes whose mask byte has its top bit set go to DS:EDI (or the overriding segment). The whole operand is checked
// first, as processors do.
Fault store_masked(Cpu& cpu, const Instruction& in, const u8* bytes, const u8* mask, u32 count) {
    u32 wrap = in.address_size == 2 ? 0xFFFF : 0xFFFFFFFF;
    u32 offset = cpu.get32(7) & wrap;
    Seg segment = in.string_segment();
    if (Fault fault = check_natural_alignment(cpu, segment, offset, count, Access::Write)) return fault;
    if (Fault fault = cpu.probe(segment, offset, count, Access::Write)) return fault;
    for (u32 i = 0; i < count; ++i)
        if (mask[i] & 0x80)
            if (Fault fault = cpu.write<u8>(segment, (offset + i) & wrap, bytes[i])) return fault;
    return Fault::none();
}

}  // namespace

Fault check_sse(const Cpu& cpu) {
    if (cpu.state.cr0 & cr0::em || !(cpu.state.cr4 & cr4::osfxsr)) return Fault::exception(vector::ud);
    return cpu.state.cr0 & cr0::ts ? Fault::exception(vector::nm) : Fault::none();
}

Fault check_mmx(Cpu& cpu) {
    if (cpu.state.cr0 & cr0::em) return Fault::exception(vector::ud);
    if (cpu.state.cr0 & cr0::ts) return Fault::exception(vector::nm);
    return x87::check_pending(cpu);
}

void enter_mmx(FxImage& fpu) {
    x87::set_top(fpu, 0);
    fpu.tags = 0xFF;
}

Fault check_aligned(const Cpu& cpu, Seg segment, u32 offset) {
    return (cpu.state.segment(segment).base + offset) & 15 ? Fault::exception(vector::gp) : Fault::none();
}

Fault check_natural_alignment(const Cpu& cpu, Seg segment, u32 offset, u32 bytes, Access access) {
    return cpu.check_alignment(segment, offset, bytes, std::bit_floor(bytes), access);  // m80: 8 (SDM 3A, table 6-7)
}

Fault execute_fxsave(Cpu& cpu, const Instruction& in) {
    if (cpu.state.cr0 & (cr0::em | cr0::ts)) return Fault::exception(vector::nm);
    u32 offset = cpu.effective_address(in);
    if (Fault fault = check_image(cpu, in, offset, Access::Write)) return fault;
    if (Fault fault = cpu.probe(in.memory.segment, offset, sizeof(FxImage), Access::Write)) return fault;
    FxImage image = cpu.state.fpu;
    image.reserved0 = 0;
    image.mxcsr_mask = mxcsr_bits;
    u8 bytes[with_xmm];
    std::memcpy(bytes, &image, sizeof bytes);
    return cpu.write_bytes(in.memory.segment, offset, {bytes, loads_xmm(cpu) ? with_xmm : without_xmm});
}

Fault execute_fxrstor(Cpu& cpu, const Instruction& in) {
    if (cpu.state.cr0 & (cr0::em | cr0::ts)) return Fault::exception(vector::nm);
    u32 offset = cpu.effective_address(in);
    if (Fault fault = check_image(cpu, in, offset, Access::Read)) return fault;
    u8 bytes[sizeof(FxImage)];
    if (Fault fault = cpu.read_bytes(in.memory.segment, offset, bytes)) return fault;
    FxImage image;
    std::memcpy(&image, bytes, sizeof image);
    if (image.mxcsr & ~mxcsr_bits) return Fault::exception(vector::gp);

    FxImage& fpu = cpu.state.fpu;
    fpu.control = x87::control_word(image.control);
    fpu.status = image.status;
    fpu.tags = image.tags;
    std::memcpy(fpu.st, image.st, sizeof fpu.st);
    for (auto& value : fpu.st) std::memset(value + 10, 0, 6);
    x87::update_summary(fpu);
    x87::set_pointers(fpu, x87::pointers(image));
    if (loads_xmm(cpu)) {
        fpu.mxcsr = image.mxcsr;
        std::memcpy(fpu.xmm, image.xmm, sizeof fpu.xmm);
    }
    x87::update_ferr(cpu);
    return Fault::none();
}

Fault execute_ldmxcsr(Cpu& cpu, const Instruction& in) {
    if (Fault fault = check_sse(cpu)) return fault;
    OrFault<u32> value = cpu.read<u32>(in.memory.segment, cpu.effective_address(in));
    if (!value) return value.fault();
    if (*value & ~mxcsr_bits) return Fault::exception(vector::gp);
    cpu.state.fpu.mxcsr = *value;
    return Fault::none();
}

Fault execute_stmxcsr(Cpu& cpu, const Instruction& in) {
    if (Fault fault = check_sse(cpu)) return fault;
    return cpu.write<u32>(in.memory.segment, cpu.effective_address(in), cpu.state.fpu.mxcsr);
}

// MMn is the physical register n, which is ST(n) while TOP is zero.
Fault execute_maskmovq(Cpu& cpu, const Instruction& in) {
    if (Fault fault = check_mmx(cpu)) return fault;
    FxImage& fpu = cpu.state.fpu;
    enter_mmx(fpu);
    return store_masked(cpu, in, fpu.st[in.op[0].reg], fpu.st[in.op[1].reg], 8);
}

Fault execute_maskmovdqu(Cpu& cpu, const Instruction& in) {
    if (Fault fault = check_sse(cpu)) return fault;
    FxImage& fpu = cpu.state.fpu;
    return store_masked(cpu, in, fpu.xmm[in.op[0].reg], fpu.xmm[in.op[1].reg], 16);
}

// Loads and stores of this engine are in order already.
Fault execute_fence(Cpu&, const Instruction&) { return Fault::none(); }

// There is no cache to flush; the address is checked as a load's (SDM vol. 2, CLFLUSH).
Fault execute_clflush(Cpu& cpu, const Instruction& in) {
    return cpu.probe(in.memory.segment, cpu.effective_address(in), 1, Access::Read);
}

}  // namespace vellum
