// Guest programs as asmjit assembles them, at an address of the guest.
#pragma once

#include <asmjit/asmjit.h>

#include <vector>

#include "base/types.hpp"

namespace vellum::test {

// HLTs up to a multiple of `alignment` behind the program's first byte.
inline void pad_to(asmjit::x86::Assembler& a, std::size_t alignment) {
    while (a.offset() % alignment) a.hlt();
}

// ECX counts from `count` down to 0; then HLT.
template <typename Body>
void counted_loop(asmjit::x86::Assembler& a, u32 count, Body body) {
    using namespace asmjit;
    Label again = a.newLabel();
    a.mov(x86::ecx, count);
    a.bind(again);
    body();
    a.dec(x86::ecx);
    a.jnz(again);
    a.hlt();
}

// ESI counts from 100 down to 0 around `body`.
template <typename Body>
void a_hundred_rounds(asmjit::x86::Assembler& a, Body body) {
    using namespace asmjit;
    Label again = a.newLabel();
    a.mov(x86::esi, 100);
    a.bind(again);
    body(a);
    a.dec(x86::esi);
    a.jnz(again);
}

// Rounds that take turns between EAX += 3 and, between `before_call` and `after_call`, a call of EAX += 5. `done`: what
// follows the loop.
inline void call_every_other_round(asmjit::x86::Assembler& a, u32 rounds, auto&& before_call, auto&& after_call,
                                   auto&& done) {
    using namespace asmjit;
    Label again = a.newLabel(), even = a.newLabel(), next = a.newLabel(), function = a.newLabel();
    a.mov(x86::ecx, rounds);
    a.bind(again);
    a.test(x86::ecx, 1);
    a.jz(even);
    a.add(x86::eax, 3);
    a.jmp(next);
    a.bind(even);
    before_call();
    a.call(function);
    after_call();
    a.bind(next);
    a.dec(x86::ecx);
    a.jnz(again);
    done();
    a.bind(function);
    a.add(x86::eax, 5);
    a.ret();
}

template <typename Write>
std::vector<u8> assemble(u32 address, Write write) {
    asmjit::CodeHolder code;
    code.init(asmjit::Environment(asmjit::Arch::kX86), address);
    asmjit::x86::Assembler assembler(&code);
    write(assembler);
    code.flatten();
    code.resolveUnresolvedLinks();
    code.relocateToBase(address);
    std::vector<u8> bytes(code.codeSize());
    code.copyFlattenedData(bytes.data(), bytes.size());
    return bytes;
}

}  // namespace vellum::test
