// What each instruction requires of the registers and does to what is known of them. Where control goes is
// verifier.cpp.
#pragma once

#include "jit/verifier.hpp"
#include "jit/verifier_decoded.hpp"

namespace vellum {

using BrokenRule = const char*;  // the rule that is broken, or null

class VerifierRules {
 public:
    explicit VerifierRules(const EmittedCode& code) : code_{code} {}

    BrokenRule apply(const HostInstruction& d);  // branches: only what they do to registers
    VerifierState& state() { return state_; }

 private:
    BrokenRule operands(const HostInstruction& d);
    BrokenRule memory(const HostInstruction& d, const ZydisDecodedOperand& operand);
    BrokenRule window_memory(const HostInstruction& d, const ZydisDecodedOperand& operand, const HostAddress& a);
    BrokenRule reads(const HostInstruction& d);
    BrokenRule writes(const HostInstruction& d);
    BrokenRule write_register(const HostInstruction& d, const ZydisDecodedOperand& operand);
    BrokenRule write_stack_pointer(const HostInstruction& d, const ZydisDecodedOperand& operand);
    BrokenRule string(const HostInstruction& d);
    bool may_keep(const HostInstruction& d) const;
    bool small_result(const HostInstruction& d) const;
    bool rebases(const HostInstruction& d, u8 r) const;
    bool loads_exit_site(const HostInstruction& d) const;
    bool poll_load(const HostInstruction& d) const;
    bool poll_touch(const HostInstruction& d) const;
    void note_access(const HostInstruction& d);
    bool loads_store_target(const HostInstruction& d) const;
    void note_flag_image(const HostInstruction& d);
    bool zero_extended(u8 r) const;
    bool plain_index(u8 r) const;  // names a guest address: zero-extended and not rebased

    const EmittedCode& code_;
    VerifierState state_;
    bool store_target_ = false;  // for the instruction that is looked at
};

}  // namespace vellum
