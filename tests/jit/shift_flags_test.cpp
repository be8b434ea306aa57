// OF behind a shift is right wherever it can be seen, and nothing is done for it where it cannot.
#include <catch2/catch.hpp>

#include "cpu/host_features.hpp"
#include "jit/emitted_blocks.hpp"
#include "jit/paged_program.hpp"

using namespace vellum;
using namespace vellum::test;
namespace x86 = asmjit::x86;

namespace {

constexpr u32 missing = 0x80;  // a page

// EDI: an operand that faults. The handler's stack has the flags.
struct Faulting : PagedProgram {
    template <typename Program>
    u32 flags_at_fault(u32 value, Program program) {
        both([&](FlatMachine& m) {
            m.poke_value<u32>(entry_of(missing), 0);
            m.set_reg(Reg::Edi, missing << page_shift);
            m.set_reg(Reg::Eax, value);
            m.engine->state_replaced();
        });
        run(
            [&](x86::Assembler& a) {
                program(a);
                a.hlt();
            },
            [](x86::Assembler& a) { a.hlt(); });
        return bt.peek<u32>(bt.reg(Reg::Esp) + 12);
    }
};

// Does the block set OF behind its shift? RCR r8d,1 or RCL r8d,1.
template <typename Program>
bool sets_overflow(Program program) {
    EmittedBlocks seen = emitted_for([&](x86::Assembler& a) {
        program(a);
        a.hlt();
    });
    return seen.has({0x41, 0xD1, 0xD8}) || seen.has({0x41, 0xD1, 0xD0});
}

}  // namespace

TEST_CASE("shift flags: OF of a shift before a faulting access is the same on both engines", "[jit][shifts]") {
    u32 value = GENERATE(0u, 1u, 0x80000000u, 0x40000000u, 0xC0000000u, 0x12345678u, 0x9ABCDEF0u, 0xFFFFFFFFu);
    u32 count = GENERATE(2u, 7u, 31u);
    auto kind = GENERATE(0, 1, 2, 3, 4);
    Faulting pair;
    u32 flags = pair.flags_at_fault(value, [&](x86::Assembler& a) {
        a.cmp(x86::esp, 0);
        if (kind == 0) a.shl(x86::eax, count);
        if (kind == 1) a.shr(x86::eax, count);
        if (kind == 2) a.sar(x86::eax, count);
        if (kind == 3) a.rol(x86::eax, count);
        if (kind == 4) a.ror(x86::eax, count);
        a.mov(x86::edx, x86::eax);
        a.push(x86::edx);
        a.mov(x86::ptr(x86::edi), x86::edx);
        a.add(x86::eax, 1);
    });
    u32 result = pair.bt.reg(Reg::Eax);
    bool carry = flags & eflags::cf, top = result >> 31, next = result >> 30 & 1;
    bool left = kind == 0 || kind == 3;
    CHECK(((flags & eflags::of) != 0) == (left ? top != carry : top != next));
}

TEST_CASE("shift flags: what faults may be what writes OF next", "[jit][shifts]") {
    u32 value = GENERATE(0x80000000u, 0x40000000u, 0x20000000u, 0u);
    Faulting pair;
    u32 flags = pair.flags_at_fault(value, [](x86::Assembler& a) {
        a.shl(x86::eax, 2);
        a.add(x86::ptr(x86::edi), x86::eax);
    });
    CHECK(((flags & eflags::of) != 0) == (value == 0x40000000 || value == 0x20000000));
}

TEST_CASE("shift flags: a result that is gone when the access faults", "[jit][shifts]") {
    u32 value = GENERATE(0x80000000u, 0x40000000u, 0x20000000u, 0u);
    Faulting pair;
    u32 flags = pair.flags_at_fault(value, [](x86::Assembler& a) {
        a.shl(x86::eax, 2);
        a.mov(x86::al, 5);
        a.mov(x86::eax, 5);
        a.mov(x86::ptr(x86::edi), x86::eax);
        a.add(x86::eax, 1);
    });
    CHECK(((flags & eflags::of) != 0) == (value == 0x40000000 || value == 0x20000000));
}

TEST_CASE("shift flags: OF costs nothing where only a fault could show it", "[jit][shifts]") {
    CHECK_FALSE(sets_overflow([](x86::Assembler& a) {
        a.shr(x86::eax, 5);
        a.mov(x86::ptr(x86::edi), x86::eax);
        a.add(x86::eax, 1);
    }));
    CHECK_FALSE(sets_overflow([](x86::Assembler& a) {  // the next shift writes it
        a.shr(x86::eax, 5);
        a.mov(x86::edx, x86::ptr(x86::edi));
        a.shl(x86::edx, 3);
        a.add(x86::eax, 1);
    }));
}

TEST_CASE("shift flags: OF is set where it can be read", "[jit][shifts]") {
    if (host_is_amds()) return;  // it is what the guest's is
    auto what = GENERATE(0, 1, 2, 3, 4, 5);
    CHECK(sets_overflow([&](x86::Assembler& a) {
        auto on = a.newLabel();
        a.shr(x86::eax, 5);
        if (what == 0) a.pushfd();
        if (what == 1) a.seto(x86::dl);
        if (what == 2) a.jo(on);
        if (what == 3) a.mov(x86::eax, x86::ptr(x86::edi));  // the result is gone
        if (what == 4) a.shl(x86::edx, x86::cl);             // may change nothing
        if (what == 5) a.fninit();                           // leaves for the FPU's state
        a.bind(on);
        a.mov(x86::ptr(x86::edi), x86::eax);
        a.add(x86::eax, 1);
    }));
}
