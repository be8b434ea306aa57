// State of the x87 unit outside its instructions.
#include "cpu/fpu.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace vellum {

namespace x87 {

namespace {

constexpr u16 opcode_bits = 0x7FF;

enum Tag : u8 { Valid = 0, Zero = 1, Special = 2, Empty = 3 };

Tag classify(const u8* value) {
    u64 significand;
    u16 exponent;
    std::memcpy(&significand, value, 8);
    std::memcpy(&exponent, value + 8, 2);
    exponent &= 0x7FFF;
    if (exponent == 0) return significand == 0 ? Zero : Special;
    return exponent == 0x7FFF || !(significand >> 63) ? Special : Valid;
}

}  // namespace

void update_summary(FxImage& fpu) {
    fpu.status &= static_cast<u16>(~(error_summary | busy));
    if (pending(fpu)) fpu.status |= error_summary | busy;
}

void set_top(FxImage& fpu, u8 new_top) {
    u8 turn = (new_top - top(fpu)) & 7;
    u8* stack = fpu.st[0];
    std::rotate(stack, stack + turn * sizeof fpu.st[0], stack + sizeof fpu.st);
    fpu.status = static_cast<u16>((fpu.status & ~(7u << 11)) | new_top << 11);
}

u16 tag_word(const FxImage& fpu) {
    u16 tags = 0;
    for (u32 i = 0; i < 8; ++i) {
        Tag tag = fpu.tags >> i & 1 ? classify(fpu.st[(i - top(fpu)) & 7]) : Empty;
        tags |= static_cast<u16>(tag << 2 * i);
    }
    return tags;
}

void set_tag_word(FxImage& fpu, u16 tags) {
    fpu.tags = 0;
    for (u32 i = 0; i < 8; ++i)
        if ((tags >> 2 * i & 3) != Empty) fpu.tags |= static_cast<u8>(1u << i);
}

void initialize(FxImage& fpu) {
    set_top(fpu, 0);
    fpu.control = initial_control;
    fpu.status = 0;
    fpu.tags = 0;
    set_pointers(fpu, {});
}

void clear_exceptions(FxImage& fpu) { fpu.status &= 0x7F00; }

void take_over(FxImage& fpu, const FxImage& result) {
    fpu.control = result.control;
    fpu.status = result.status;
    fpu.tags = result.tags;
    std::memcpy(fpu.st, result.st, sizeof fpu.st);
}

Pointers pointers(const FxImage& fpu) {
    return {fpu.opcode, fpu.instruction_offset, fpu.data_offset, fpu.instruction_selector, fpu.data_selector};
}

void set_pointers(FxImage& fpu, const Pointers& pointers) {
    fpu.opcode = pointers.opcode & opcode_bits;
    fpu.instruction_offset = pointers.instruction_offset;
    fpu.data_offset = pointers.data_offset;
    fpu.instruction_selector = pointers.instruction_selector;
    fpu.data_selector = pointers.data_selector;
    fpu.reserved1 = fpu.reserved2 = 0;
}

Pointers pointers_of(const CpuState& state, const Instruction& in, u32 offset, u32 data_offset) {
    Pointers all;
    all.opcode = static_cast<u16>((in.opcode & 7) << 8 | in.modrm);
    all.instruction_offset = offset;
    all.instruction_selector = state.segment(Seg::Cs).selector;
    if (!in.has_memory) return all;
    all.data_offset = data_offset;
    all.data_selector = state.segment(in.memory.segment).selector;
    return all;
}

namespace {

// Linear addresses, as the environments of real mode and V86 have them: twenty bits, of 32-bit offsets more.
u32 real_address(u16 selector, u32 offset) { return (u32{selector} << 4) + offset; }

constexpr u32 upper = 0xFFFF0000;

// The four words behind control, status and tags. Real mode's keep the low half of an address, and the upper half left
// of the opcode's place.
std::array<u32, 4> pointer_words(const Pointers& p, EnvironmentForm form) {
    if (!form.real) {
        if (form.operand_size == 2)
            return {p.instruction_offset, p.instruction_selector, p.data_offset, p.data_selector};
        return {p.instruction_offset, u32{p.opcode} << 16 | p.instruction_selector, p.data_offset,
                upper | p.data_selector};
    }
    const u32 code = real_address(p.instruction_selector, p.instruction_offset);
    const u32 data = real_address(p.data_selector, p.data_offset);
    return {upper | code, (code >> 16) << 12 | p.opcode, upper | data, (data >> 16) << 12};
}

// The same in reverse. What comes from a linear address has no selector.
Pointers pointers_in(const std::array<u32, 4>& words, EnvironmentForm form) {
    Pointers p;
    if (form.real) {
        auto address = [](u32 low, u32 high) { return (low & 0xFFFF) | (high >> 12 & 0xFFFF) << 16; };
        p.instruction_offset = address(words[0], words[1]);
        p.opcode = static_cast<u16>(words[1]);
        p.data_offset = address(words[2], words[3]);
        return p;
    }
    p.instruction_offset = words[0];
    p.instruction_selector = static_cast<u16>(words[1]);
    p.data_offset = words[2];
    p.data_selector = static_cast<u16>(words[3]);
    if (form.operand_size == 4) p.opcode = static_cast<u16>(words[1] >> 16);
    return p;
}

}  // namespace

// Words of the environment: control, status, tags, instruction offset, its selector (and opcode), operand offset, its
// selector. Reserved halves of 32-bit words are written as ones (SDM vol. 1, figures 8-9 to 8-12).
void store_environment(const FxImage& fpu, EnvironmentForm form, std::span<u8> out) {
    const auto behind = pointer_words(pointers(fpu), form);
    const u32 words[7] = {upper | fpu.control, upper | fpu.status, upper | tag_word(fpu), behind[0], behind[1],
                          behind[2],           behind[3]};
    for (u32 i = 0; i < std::size(words); ++i) std::memcpy(&out[i * form.operand_size], &words[i], form.operand_size);
}

void load_environment(FxImage& fpu, EnvironmentForm form, std::span<const u8> in) {
    u32 words[7] = {};
    for (u32 i = 0; i < std::size(words); ++i) std::memcpy(&words[i], &in[i * form.operand_size], form.operand_size);
    const u16 status = static_cast<u16>(words[1]);
    set_top(fpu, (status >> 11) & 7);
    fpu.control = control_word(static_cast<u16>(words[0]));
    fpu.status = status;
    set_tag_word(fpu, static_cast<u16>(words[2]));
    update_summary(fpu);
    set_pointers(fpu, pointers_in({words[3], words[4], words[5], words[6]}, form));
}

Fault check_pending(Cpu& cpu) {
    if (!pending(cpu.state.fpu)) return Fault::none();
    if (cpu.state.cr0 & cr0::ne) return Fault::exception(vector::mf);
    cpu.outside.set_ferr(true);
    return cpu.outside.ignne() ? Fault::none() : Fault::retired();
}

void update_ferr(Cpu& cpu) {
    if (!pending(cpu.state.fpu) || cpu.state.cr0 & cr0::ne) cpu.outside.set_ferr(false);
}

}  // namespace x87

}  // namespace vellum
