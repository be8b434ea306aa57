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
