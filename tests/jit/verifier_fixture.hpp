// Emitted bytes, a stub of each kind around them, and the verifier's answer.
#pragma once

#include <catch2/catch.hpp>

#include <asmjit/x86.h>

#include "cpu/state.hpp"
#include "jit/verifier.hpp"

namespace vellum::test {

using namespace asmjit::x86;

constexpr u64 code_address = 0x100000000, stub = 0x100008000, context = 0x100007000;
constexpr u64 store_stub = 0x10000A000;
constexpr u64 exit_stub = 0x100009000, site = 0x123456789A;  // bytes below: exit_stub is 9000h past the start

inline EmittedCode emitted(std::span<const u8> bytes) {
    EmittedCode code;
    code.bytes = bytes;
    code.address = code_address;
    code.may_reach = [](u64 target, EmittedCode::Way way) {
        return target == stub || (target == store_stub && way == EmittedCode::Way::Call) ||
               (target == exit_stub && way == EmittedCode::Way::Jump);
    };
    code.exit = exit_stub;
    code.exit_sites = {0x1111, site};
    code.checked_store = store_stub;
    code.may_touch_state = [](u64 at, u32 n, bool write) { return at + n <= 4096 && !(write && at < 512); };
    code.may_touch = [](u64 at, u32 n, bool write) { return at >= context && at + n <= context + 64 && !write; };
    return code;
}

// Assembles, and ends with a return unless told otherwise.
template <typename F>
std::optional<std::string> verify_assembled(F&& f) {
    asmjit::CodeHolder holder;
    asmjit::Environment environment{asmjit::Arch::kX64};
    holder.init(environment, code_address);
    Assembler a{&holder};
    f(a);
    holder.flatten();
    holder.resolveUnresolvedLinks();
    holder.relocateToBase(code_address);
    auto& buffer = holder.sectionById(0)->buffer();
    return verify(emitted({buffer.data(), buffer.size()}));
}

inline std::optional<std::string> verify_bytes(std::initializer_list<int> list) {
    std::vector<u8> bytes(list.begin(), list.end());
    return verify(emitted(bytes));
}

inline Mem through_gs(Mem m) {
    m.setSegment(gs);
    return m;
}

template <typename F>
void accepts(F&& f) {
    auto refusal = verify_assembled(f);
    INFO(refusal.value_or("accepted"));
    CHECK_FALSE(refusal);
}

// By the rule's name, the word before the second colon of the answer.
inline void refuses(const std::string& rule, std::initializer_list<int> list) {
    auto refusal = verify_bytes(list);
    INFO(rule << ": " << refusal.value_or("accepted"));
    CHECK(refusal);
    if (!refusal) return;
    CHECK(refusal->find(": " + rule + ": ") != std::string::npos);
}

}  // namespace vellum::test
