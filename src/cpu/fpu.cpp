// State of the x87 unit outside its instructions.
#include "cpu/fpu.hpp"

#include <algorithm>
#include <cstring>

namespace vellum {

namespace x87 {

namespace {

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
    clear_fpu_pointers(fpu);
}

void clear_exceptions(FxImage& fpu) { fpu.status &= 0x7F00; }

void take_over(FxImage& fpu, const FxImage& result) {
    fpu.control = result.control;
    fpu.status = result.status;
    fpu.tags = result.tags;
    std::memcpy(fpu.st, result.st, sizeof fpu.st);
    clear_fpu_pointers(fpu);
}

// Words of the environment: control, status, tags, instruction offset, its selector (and opcode), operand offset, its
// selector. Reserved halves of 32-bit words are written as ones, and all pointers are zero (SDM vol. 1, figures 8-9 to
// 8-12).
void store_environment(const FxImage& fpu, EnvironmentForm form, std::span<u8> out) {
    const u16 words[3] = {fpu.control, fpu.status, tag_word(fpu)};
    if (form.operand_size == 2) {
        std::memset(out.data(), 0, form.bytes());
        std::memcpy(out.data(), words, sizeof words);
        return;
    }
    constexpr u32 upper = 0xFFFF0000;
    u32 wide[7] = {upper | words[0], upper | words[1], upper | words[2], 0, 0, 0, upper};
    if (form.real) wide[3] = wide[5] = upper, wide[6] = 0;
    std::memcpy(out.data(), wide, sizeof wide);
}

void load_environment(FxImage& fpu, EnvironmentForm form, std::span<const u8> in) {
    u16 words[3];
    for (u32 i = 0; i < 3; ++i) std::memcpy(&words[i], &in[i * form.operand_size], 2);
    set_top(fpu, (words[1] >> 11) & 7);
    fpu.control = control_word(words[0]);
    fpu.status = words[1];
    set_tag_word(fpu, words[2]);
    update_summary(fpu);
    clear_fpu_pointers(fpu);
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

void clear_fpu_pointers(FxImage& fpu) {
    fpu.opcode = 0;
    fpu.instruction_offset = fpu.data_offset = 0;
    fpu.instruction_selector = fpu.reserved1 = fpu.data_selector = fpu.reserved2 = 0;
}

}  // namespace vellum
