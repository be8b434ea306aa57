// A guest with a #DB handler that keeps a diary, on both engines.
#pragma once

#include <catch2/catch.hpp>

#include <vector>

#include "cpu/breakpoints.hpp"
#include "jit/bytes.hpp"
#include "jit/engine_pair.hpp"

namespace vellum::test {

// Of one #DB: what the handler found. `flags` are the image on the stack.
struct DebugEntry {
    u32 eip = 0, dr6 = 0, flags = 0;
    bool operator==(const DebugEntry&) const = default;
};
using Diary = std::vector<DebugEntry>;
inline std::ostream& operator<<(std::ostream& out, const DebugEntry& e) {
    return out << fmt::format("eip {:x} dr6 {:x} flags {:x}", e.eip, e.dr6, e.flags);
}

constexpr u32 dr7_data_write = 1, dr7_port = 2, dr7_data_access = 3;
// G bit, R/W and LEN of breakpoint `number`; lengths 1, 2 and 4 bytes.
constexpr u32 dr7_global(u32 number, u32 kind, u32 bytes) {
    return 2u << (2 * number) | kind << (16 + 4 * number) | (bytes - 1) << (18 + 4 * number);
}

struct DebugPair : EnginePair<FlatMachine> {
    static constexpr u32 code = FlatMachine::code_at, data = FlatMachine::data_at, stack = FlatMachine::stack_top;
    static constexpr u32 handler = 0x31000, diary = 0x32000, diary_end = 0x31FF0, or_flags = 0x31FF4;

    DebugPair() {
        both([](FlatMachine& m) {
            m.poke(handler, {0x50, 0x53,                                // push eax; push ebx
                             0x8B, 0x1D, 0xF0, 0x1F, 0x03, 0x00,        // mov ebx, [diary_end]
                             0x8B, 0x44, 0x24, 0x08, 0x89, 0x03,        // mov eax, [esp+8]; mov [ebx], eax
                             0x0F, 0x21, 0xF0, 0x89, 0x43, 0x04,        // mov eax, dr6; mov [ebx+4], eax
                             0x8B, 0x44, 0x24, 0x10, 0x89, 0x43, 0x08,  // mov eax, [esp+16]; mov [ebx+8], eax
                             0x83, 0xC3, 0x0C,                          // add ebx, 12
                             0x89, 0x1D, 0xF0, 0x1F, 0x03, 0x00,        // mov [diary_end], ebx
                             0x31, 0xC0, 0x0F, 0x23, 0xF0,              // xor eax, eax; mov dr6, eax
                             0xA1, 0xF4, 0x1F, 0x03, 0x00,              // mov eax, [or_flags]
                             0x09, 0x44, 0x24, 0x10,                    // or [esp+16], eax
                             0x5B, 0x58, 0xCF});                        // pop ebx; pop eax; iret
            m.poke_value<u32>(diary_end, diary);
            m.poke_value<u16>(FlatMachine::idt_at + 8 * vector::db, handler & 0xFFFF);
            m.state.cr4 |= cr4::de;
        });
    }

    void set_breakpoint(u32 number, u32 address, u32 dr7) {
        both([&](FlatMachine& m) {
            m.state.dr[number] = address;
            m.state.dr[7] |= dr7;
        });
    }
    void set_reg(Reg reg, u32 value) {
        both([&](FlatMachine& m) { m.set_reg(reg, value); });
    }
    // The handler sets RF in the image, as debuggers do at an instruction breakpoint.
    void resume_with_rf() {
        both([](FlatMachine& m) { m.poke_value<u32>(or_flags, eflags::rf); });
    }
    // Runs the code to the HLT behind it, or to the handler of another exception, on both. The diary is that of this
    // run.
    Diary run(const Bytes& bytes) {
        both([&](FlatMachine& m) {
            u64 at = m.state.segment(Seg::Cs).base + code;
            m.poke_value<u32>(diary_end, diary);
            m.poke(at, bytes);
            m.poke(at + bytes.size(), {0xF4});
            m.run_from(code);
        });
        CHECK(compare() == "");
        return entries();
    }
    // Without the images of EFLAGS.
    Diary places(const Bytes& bytes) {
        Diary all = run(bytes);
        for (DebugEntry& entry : all) entry.flags = 0;
        return all;
    }
    Diary entries() const {
        Diary all;
        for (u32 at = diary; at < interp.peek<u32>(diary_end); at += sizeof(DebugEntry))
            all.push_back({interp.peek<u32>(at), interp.peek<u32>(at + 4), interp.peek<u32>(at + 8)});
        return all;
    }
};

constexpr u32 b0 = dr6::fixed | 1, b1 = dr6::fixed | 2, bs = dr6::fixed | dr6::single_step;

// --- code: accesses through an absolute address, EAX the value
inline Bytes with_address(Bytes opcode, u32 address) {
    for (u32 i = 0; i < 4; ++i) opcode.push_back(static_cast<u8>(address >> 8 * i));
    return opcode;
}
inline Bytes store8(u32 address) { return with_address({0xA2}, address); }
inline Bytes store16(u32 address) { return with_address({0x66, 0xA3}, address); }
inline Bytes store32(u32 address) { return with_address({0xA3}, address); }
inline Bytes load8(u32 address) { return with_address({0xA0}, address); }
inline Bytes load32(u32 address) { return with_address({0xA1}, address); }

}  // namespace vellum::test
