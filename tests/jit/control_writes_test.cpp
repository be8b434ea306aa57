// Writes of control registers that level 0 does in translated code: CR2, and CR0 and CR4 with what they hold already.
#include "jit/guest_program.hpp"
#include "jit/system_fixture.hpp"

using namespace vellum;
using namespace vellum::test;
namespace x86 = asmjit::x86;

namespace {

constexpr int none = -1;

template <typename Body>
Bytes a_hundred_times(Body body) {
    return assemble(SystemPair::code, [&](x86::Assembler& a) { a_hundred_rounds(a, body); });
}

u64 moves_of(const SystemPair& pair) {
    auto callouts = pair.bt.engine->statistics().callouts;
    return callouts.contains("mov") ? callouts.at("mov") : 0;
}

}  // namespace

TEST_CASE("control writes: CR2 is written without leaving translated code", "[jit]") {
    SystemPair pair;
    pair.both([](FlatMachine& m) { m.state.cr2 = 0xFFFFFFFF; });
    Bytes code = a_hundred_times([](x86::Assembler& a) {
        a.lea(x86::eax, x86::ptr(x86::esi, 0x7000));
        a.mov(x86::cr2, x86::eax);
        a.mov(x86::ebx, x86::cr2);
        a.add(x86::edi, x86::ebx);
    });
    CHECK(pair.run(code) == none);
    CHECK(pair.state().cr2 == 0x7001);
    CHECK(moves_of(pair) == 0);
}

TEST_CASE("control writes: CR0 and CR4 with what they hold are no callouts, and change no flag", "[jit]") {
    SystemPair pair;
    pair.set_reg(Reg::Edi, 0x7FFFFFFF);
    Bytes code = a_hundred_times([](x86::Assembler& a) {
        a.mov(x86::eax, x86::cr4);
        a.mov(x86::ecx, x86::cr0);
        a.add(x86::edi, 0x12345678);
        a.mov(x86::cr4, x86::eax);
        a.adc(x86::ebx, 0);
        a.add(x86::edi, 0x12345678);
        a.mov(x86::cr0, x86::ecx);
        a.adc(x86::ebx, 0);
        a.pushfd();
        a.pop(x86::edx);
        a.add(x86::ebp, x86::edx);
    });
    CHECK(pair.run(code) == none);
    CHECK(pair.reg(Reg::Ebx) > 5);
    CHECK(moves_of(pair) == 0);
}

TEST_CASE("control writes: a bit that changes is the interpreter's, with ESP as it is then", "[jit]") {
    SystemPair pair;
    Bytes code = a_hundred_times([](x86::Assembler& a) {
        a.push(x86::esi);
        a.mov(x86::eax, x86::cr4);
        a.xor_(x86::eax, 0x100);  // PCE
        a.mov(x86::cr4, x86::eax);
        a.pop(x86::ecx);
        a.add(x86::ebx, x86::ecx);
        a.mov(x86::ecx, x86::cr0);
        a.xor_(x86::ecx, 0x40000);  // AM
        a.mov(x86::cr0, x86::ecx);
        a.mov(x86::edx, x86::cr0);
        a.add(x86::edi, x86::edx);
    });
    CHECK(pair.run(code) == none);
    CHECK(pair.reg(Reg::Ebx) == 5050);
    CHECK(moves_of(pair) == 200);
}

TEST_CASE("control writes: what CR4 does not have is #GP, with the flags of the instruction before", "[jit]") {
    SystemPair pair;
    Bytes code = assemble(SystemPair::code, [](x86::Assembler& a) {
        a.mov(x86::ecx, 0x80000000);
        a.mov(x86::eax, 0x7FFFFFFF);
        a.add(x86::eax, 1);  // OF
        a.mov(x86::cr4, x86::ecx);
        a.xor_(x86::ebx, x86::ebx);
    });
    CHECK(pair.run(code) == vector::gp);
    CHECK((pair.stacked(3) & eflags::of) != 0);
}

TEST_CASE("control writes: level 3 writes none", "[jit]") {
    for (Bytes write : {Bytes{0x0F, 0x22, 0xD0}, Bytes{0x0F, 0x22, 0xC0}, Bytes{0x0F, 0x22, 0xE0}}) {
        SystemPair pair;
        pair.enter_level3();
        pair.set_reg(Reg::Eax, static_cast<u32>(pair.state().cr0));
        CHECK(pair.run(write) == vector::gp);
        CHECK(pair.state().cr2 == 0);
    }
}
