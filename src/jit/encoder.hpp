// Writes 64-bit host instructions as bytes: just the forms that the emitter needs (SDM vol. 2, chapter 2).
#pragma once

#include <cstring>
#include <span>

#include "base/check.hpp"
#include "jit/registers.hpp"

namespace vellum {

// A memory operand of a host instruction.
struct HostMem {
    u8 base = no_reg, index = no_reg, scale_log2 = 0;
    i32 disp = 0;
    bool window = false;    // gs: with 32-bit address arithmetic
    bool relative = false;  // RIP-relative; `target` is the host address
    u64 target = 0;

    static HostMem at(u8 base, i32 disp = 0) { return {base, no_reg, 0, disp}; }
    static HostMem at(u8 base, u8 index, u8 scale_log2 = 0, i32 disp = 0) { return {base, index, scale_log2, disp}; }
    static HostMem state(std::size_t field) { return at(r15, static_cast<i32>(field)); }  // of CpuState
    static HostMem absolute(const void* where) {
        return {no_reg, no_reg, 0, 0, false, true, reinterpret_cast<u64>(where)};
    }
};

// What stands before ModRM. `map` as in Instruction::opcode_map.
struct HostOpcode {
    u8 map = 0, code = 0;
    bool p66 = false, pF2 = false, pF3 = false, lock = false, w = false;
    u8 immediate_bytes = 0;  // that follow: RIP-relative operands count from the instruction's end
    bool force_rex = false;  // SPL..DIL instead of AH..BH
};

class Encoder {
 public:
    // Bytes go to [write, write + room) and will run at `run`.
    Encoder(u8* write, u64 run, u32 room) : begin_{write}, at_{write}, end_{write + room}, run_{run} {}

    u64 here() const { return run_ + size(); }
    u32 size() const { return static_cast<u32>(at_ - begin_); }
    bool nearly_full() const { return end_ - at_ < 256; }
    std::span<const u8> bytes() const { return {begin_, at_}; }

    void byte(u8 b) {
        check(at_ < end_, "emitted code fits the space reserved for it");
        *at_++ = b;
    }
    template <typename T>
    void value(T v) {
        check(end_ - at_ >= static_cast<std::ptrdiff_t>(sizeof v), "emitted code fits the space reserved for it");
        std::memcpy(at_, &v, sizeof v);
        at_ += sizeof v;
    }
    void raw(std::span<const u8> some) {
        for (u8 b : some) byte(b);
    }
    void patch32(u32 at, u32 v) { std::memcpy(begin_ + at, &v, 4); }

    // --- any instruction with ModRM
    void op(const HostOpcode& o, u8 reg, const HostMem& m);
    void op(const HostOpcode& o, u8 reg, u8 rm);

    // --- moves (none touches flags)
    void mov32(u8 to, u8 from) { op({0, 0x8B}, to, from); }
    void mov64(u8 to, u8 from) { op({.code = 0x8B, .w = true}, to, from); }
    void load32(u8 to, const HostMem& m) { op({0, 0x8B}, to, m); }
    void load64(u8 to, const HostMem& m) { op({.code = 0x8B, .w = true}, to, m); }
    void load16(u8 to, const HostMem& m) { op({1, 0xB7}, to, m); }  // zero-extends
    void load8(u8 to, const HostMem& m) { op({1, 0xB6}, to, m); }   // zero-extends
    void store32(const HostMem& m, u8 from) { op({0, 0x89}, from, m); }
    void store64(const HostMem& m, u8 from) { op({.code = 0x89, .w = true}, from, m); }
    void store16(const HostMem& m, u8 from) { op({.code = 0x89, .p66 = true}, from, m); }
    void store8(const HostMem& m, u8 from) { op({.code = 0x88, .force_rex = from >= 4}, from, m); }
    void store32_imm(const HostMem& m, u32 v) {
        op({.code = 0xC7, .immediate_bytes = 4}, 0, m);
        value(v);
    }
    void store64_imm(const HostMem& m, i32 v) {  // sign-extended
        op({.code = 0xC7, .w = true, .immediate_bytes = 4}, 0, m);
        value(v);
    }
    void store16_imm(const HostMem& m, u16 v) {
        op({.code = 0xC7, .p66 = true, .immediate_bytes = 2}, 0, m);
        value(v);
    }
    void store8_imm(const HostMem& m, u8 v) {
        op({.code = 0xC6, .immediate_bytes = 1}, 0, m);
        byte(v);
    }
    void mov32_imm(u8 to, u32 v) {
        if (to >= 8) byte(0x41);
        byte(static_cast<u8>(0xB8 | (to & 7)));
        value(v);
    }
    void mov64_imm(u8 to, u64 v) {
        byte(static_cast<u8>(0x48 | (to >= 8)));
        byte(static_cast<u8>(0xB8 | (to & 7)));
        value(v);
    }
    void lea32(u8 to, const HostMem& m) { op({0, 0x8D}, to, m); }
    void lea64(u8 to, const HostMem& m) { op({.code = 0x8D, .w = true}, to, m); }
    void movzx16(u8 to, u8 from) { op({1, 0xB7}, to, from); }
    void movzx8(u8 to, u8 from) { op({.map = 1, .code = 0xB6, .force_rex = from >= 4}, to, from); }
    void not32(u8 r) { op({0, 0xF7}, 2, r); }
    void not64(u8 r) { op({.code = 0xF7, .w = true}, 2, r); }
    void bswap64(u8 r) {
        byte(static_cast<u8>(0x48 | (r >= 8)));
        byte(0x0F);
        byte(static_cast<u8>(0xC8 | (r & 7)));
    }

    // Of BMI2: it leaves the flags alone.
    void rorx64(u8 to, u8 from, u8 by) {
        vex({.map = 3, .code = 0xF0, .pF2 = true, .w = true}, to, 0, from);
        byte(by);
    }

    // --- arithmetic (touches flags); `operation`: 0 add 1 or 4 and 5 sub 6 xor 7 cmp
    void alu32(u8 operation, u8 to, u8 from) { op({0, static_cast<u8>(operation << 3 | 3)}, to, from); }
    void alu64(u8 operation, u8 to, u8 from) { op({.code = static_cast<u8>(operation << 3 | 3), .w = true}, to, from); }
    void alu32(u8 operation, u8 to, const HostMem& m) { op({0, static_cast<u8>(operation << 3 | 3)}, to, m); }
    void alu64(u8 operation, u8 to, const HostMem& m) {
        op({.code = static_cast<u8>(operation << 3 | 3), .w = true}, to, m);
    }
    void alu32_imm(u8 operation, u8 to, u32 v) {
        op({0, 0x81}, operation, to);
        value(v);
    }
    void alu64_imm(u8 operation, u8 to, i32 v) {
        op({.code = 0x81, .w = true}, operation, to);
        value(v);
    }
    void alu32_imm(u8 operation, const HostMem& m, u32 v) {
        op({.code = 0x81, .immediate_bytes = 4}, operation, m);
        value(v);
    }
    void cmp8_imm(const HostMem& m, u8 v) {
        op({.code = 0x80, .immediate_bytes = 1}, 7, m);
        byte(v);
    }
    void test32_imm(u8 r, u32 v) {
        op({0, 0xF7}, 0, r);
        value(v);
    }
    void shr32(u8 r, u8 n) {
        op({0, 0xC1}, 5, r);
        byte(n);
    }
    void shl32(u8 r, u8 n) {
        op({0, 0xC1}, 4, r);
        byte(n);
    }

    // --- flags
    void lahf() { byte(0x9F); }
    void sahf() { byte(0x9E); }
    void seto_al() { raw3(0x0F, 0x90, 0xC0); }
    void add_al(u8 v) {
        byte(0x04);
        byte(v);
    }
    void pushfq() { byte(0x9C); }
    void cld() { byte(0xFC); }
    void std_() { byte(0xFD); }

    void push64(u8 r) {
        if (r >= 8) byte(0x41);
        byte(static_cast<u8>(0x50 | (r & 7)));
    }
    void pop64(u8 r) {
        if (r >= 8) byte(0x41);
        byte(static_cast<u8>(0x58 | (r & 7)));
    }
    void ret() { byte(0xC3); }

    // --- jumps. Those to a host address:
    void jmp(u64 target) {
        byte(0xE9);
        relative(target);
    }
    void call(u64 target) {
        byte(0xE8);
        relative(target);
    }
    void jcc(u8 condition, u64 target) {
        byte(0x0F);
        byte(static_cast<u8>(0x80 | condition));
        relative(target);
    }
    void jmp_register(u8 r) { op({0, 0xFF}, 4, r); }
    // Those to a place not known yet: return what land() wants.
    u32 jmp_forward() {
        byte(0xE9);
        value(u32{0});
        return size() - 4;
    }
    u32 jcc_forward(u8 condition) {
        byte(0x0F);
        byte(static_cast<u8>(0x80 | condition));
        value(u32{0});
        return size() - 4;
    }
    u32 call_forward() {
        byte(0xE8);
        value(u32{0});
        return size() - 4;
    }
    void land(u32 at) { land_at(at, size()); }
    void land_at(u32 at, u32 place) { patch32(at, place - at - 4); }
    // Short forms, at most 127 bytes ahead.
    u32 short_forward(u8 opcode) {
        byte(opcode);
        byte(0);
        return size() - 1;
    }
    u32 jrcxz_forward() { return short_forward(0xE3); }
    // Decrements ecx and jumps, unless it is 0 then, to a place at most 125 bytes back.
    void loop_back(u32 place) { back_by_ecx(0xE2, place); }
    // Jumps there if ecx is 0.
    void jecxz_back(u32 place) { back_by_ecx(0xE3, place); }
    void land_short(u32 at) {
        u32 distance = size() - at - 1;
        check(distance < 128, "a short jump reaches its target");
        begin_[at] = static_cast<u8>(distance);
    }

 private:
    void raw3(u8 a, u8 b, u8 c) {
        byte(a);
        byte(b);
        byte(c);
    }
    void back_by_ecx(u8 opcode, u32 place) {
        check(size() + 3 - place <= 128, "a short jump reaches its target");
        byte(0x67);
        byte(opcode);
        byte(static_cast<u8>(place - size() - 1));
    }
    void relative(u64 target) { value(static_cast<u32>(target - (here() + 4))); }
    void prefixes(const HostOpcode& o, u8 rex);
    void vex(const HostOpcode& o, u8 reg, u8 vvvv, u8 rm);

    u8* begin_;
    u8* at_;
    u8* end_;
    u64 run_;
};

}  // namespace vellum
