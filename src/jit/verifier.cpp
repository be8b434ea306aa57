// One pass in address order. States are merged where branches lead forward; where they lead back, and where code is
// entered from outside, only what holds at every block's entry is assumed.
#include "jit/verifier.hpp"

#include <Zydis/Zydis.h>

#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "jit/verifier_rules.hpp"

namespace vellum {

namespace {

class Verifier {
 public:
    explicit Verifier(const EmittedCode& code) : code_{code}, rules_{code} {
        ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    }
    std::optional<std::string> run();

 private:
    BrokenRule decode_all();
    BrokenRule decode_one();
    BrokenRule note_targets();
    void enter(u32 offset);
    BrokenRule step(const HostInstruction& d);
    BrokenRule branch(const HostInstruction& d);
    BrokenRule go_to(const HostInstruction& d);
    bool calls_checked_store(const HostInstruction& d) const {
        return d.kind == HostClass::Call && d.direct() && code_.checked_store != 0 &&
               code_.address + static_cast<u64>(d.target()) == code_.checked_store;
    }
    bool inside(i64 offset) const { return offset >= 0 && offset < static_cast<i64>(code_.bytes.size()); }

    const EmittedCode& code_;
    ZydisDecoder decoder_;
    VerifierRules rules_;
    std::vector<HostInstruction> instructions_;
    std::vector<ZydisDecodedOperand> operands_;           // of all instructions, one behind the other
    std::map<u32, std::optional<VerifierState>> labels_;  // forward targets: what is known when control gets there
    std::vector<u8> starts_, entered_;                    // by offset
    bool reachable_ = true;
    u32 at_ = 0;
};

std::optional<std::string> Verifier::run() {
    BrokenRule broken = decode_all();
    if (!broken) broken = note_targets();
    if (!broken)
        for (const HostInstruction& d : instructions_) {
            at_ = d.offset;
            broken = step(d);
            if (broken) break;
        }
    if (!broken && reachable_) broken = "branches: control runs off the end";
    if (!broken) return std::nullopt;
    std::string text = "?", bytes;
    for (const HostInstruction& d : instructions_)
        if (d.offset == at_) {
            text = ZydisMnemonicGetString(d.z.mnemonic);
            for (u32 i = d.offset; i < d.end(); ++i) bytes += fmt::format(" {:02x}", code_.bytes[i]);
        }
    return fmt::format("+{:#x}: {}{}: {}", at_, text, bytes, broken);
}

BrokenRule Verifier::decode_all() {
    starts_.assign(code_.bytes.size() + 1, 0);
    entered_.assign(code_.bytes.size() + 1, 0);
    constexpr std::size_t usual_length = 4, usual_operands = 3;
    instructions_.reserve(code_.bytes.size() / usual_length + 1);
    operands_.reserve(usual_operands * instructions_.capacity());
    BrokenRule broken = nullptr;
    while (at_ < code_.bytes.size() && !broken) broken = decode_one();
    const ZydisDecodedOperand* operands = operands_.data();  // which have come to rest
    for (HostInstruction& d : instructions_) d.operands = std::exchange(operands, operands + d.z.operand_count);
    return broken;
}

BrokenRule Verifier::decode_one() {
    ZydisDecoderContext context;
    ZydisDecodedInstruction z;
    const u8* bytes = code_.bytes.data() + at_;
    std::size_t known = operands_.size();
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder_, &context, bytes, code_.bytes.size() - at_, &z)))
        return "list: not an instruction";
    operands_.resize(known + z.operand_count);
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeOperands(&decoder_, &context, &z, operands_.data() + known, z.operand_count)))
        return "list: not an instruction";
    HostClass kind = host_class(z);
    HostInstructionWords words{z.mnemonic,      z.attributes,    z.meta.branch_type,    z.length,
                               z.address_width, z.operand_count, z.raw.imm[0].size != 0};
    instructions_.push_back({.offset = at_, .kind = kind, .z = words});
    if (kind == HostClass::Refused) return "list: not on the positive list";
    starts_[at_] = 1;
    at_ = instructions_.back().end();
    return nullptr;
}

BrokenRule Verifier::note_targets() {
    at_ = 0;
    if (instructions_.empty()) return "branches: nothing is there";
    for (const HostInstruction& d : instructions_) {
        at_ = d.offset;
        if (d.kind == HostClass::Call && !calls_checked_store(d)) {
            if (d.end() >= code_.bytes.size()) return "branches: a call returns to no instruction";
            entered_[d.end()] = 1;
        }
        bool branches = d.kind == HostClass::Jump || d.kind == HostClass::Branch || d.kind == HostClass::Call;
        if (!branches) continue;
        if (!d.direct()) return "branches: indirect";
        if (d.z.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE) return "branches: 66 prefix";
        if (!inside(d.target())) continue;
        auto target = static_cast<u32>(d.target());
        if (!starts_[target]) return "branches: into an instruction";
        if (target <= d.offset || d.kind == HostClass::Call)
            entered_[target] = 1;
        else
            labels_[target];
    }
    return nullptr;
}

BrokenRule Verifier::step(const HostInstruction& d) {
    bool label = labels_.contains(d.offset);
    if (reachable_ && (label || entered_[d.offset]) && !rules_.state().between_sequences())
        return "branches: into the middle of a sequence";
    if (reachable_ && (label || entered_[d.offset]) && rules_.state().store_target)
        return "stores: a branch leads behind the check";
    if (entered_[d.offset]) {
        if (reachable_ && !rules_.state().settled())
            return "drift: r12 moved too far without an access or a normalisation";
        rules_.state() = {};
        reachable_ = true;
    } else if (label) {
        const auto& seen = labels_[d.offset];
        if (seen && reachable_)
            rules_.state().merge(*seen);
        else if (seen)
            rules_.state() = *seen;
        reachable_ |= seen.has_value();
    }
    if (!reachable_) {
        if (d.kind == HostClass::Breakpoint) return nullptr;
        rules_.state() = {};  // nothing leads here that we know of: checked as if it were an entry
        reachable_ = true;
    }
    if (BrokenRule b = rules_.apply(d)) return b;
    return branch(d);
}

// The instruction's effect on where control goes.
BrokenRule Verifier::branch(const HostInstruction& d) {
    switch (d.kind) {
        case HostClass::Jump: {
            BrokenRule b = go_to(d);
            reachable_ = false;
            return b;
        }
        case HostClass::Branch: return go_to(d);
        case HostClass::Call: {  // what follows is an entry, but behind a check
            BrokenRule b = go_to(d);
            if (calls_checked_store(d)) rules_.state().receive_store_target();
            return b;
        }
        case HostClass::Return:
            if (d.all()[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE || d.z.has_immediate)
                return "branches: only the plain near return";
            if (d.z.attributes & (ZYDIS_ATTRIB_HAS_OPERANDSIZE | ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPNE) ||
                d.z.branch_type != ZYDIS_BRANCH_TYPE_NEAR)
                return "branches: only the plain near return";
            if (!rules_.state().settled()) return "drift: control leaves with r12 unsettled or inside a sequence";
            reachable_ = false;
            return nullptr;
        default: return nullptr;
    }
}

BrokenRule Verifier::go_to(const HostInstruction& d) {
    if (!rules_.state().between_sequences()) return "branches: out of the middle of a sequence";
    for (u32 link : code_.links)
        if (link == d.end() - 4 && !rules_.state().settled())
            return "drift: a link leaves with r12 too far from the window";
    i64 target = d.target();
    bool forward = inside(target) && target > d.offset && !entered_[static_cast<u32>(target)];
    if (forward && d.kind != HostClass::Call) {
        auto& seen = labels_[static_cast<u32>(target)];
        VerifierState there = rules_.state();
        if (seen) there.merge(*seen);
        there.poll_register = host_register::none;
        seen = there;
        return nullptr;
    }
    u64 host = code_.address + static_cast<u64>(target);
    bool renewed =
        !inside(target) && d.kind != HostClass::Call && code_.renews_stack_pointer && code_.renews_stack_pointer(host);
    if (!renewed && !rules_.state().settled()) return "drift: control leaves with r12 too far from the window";
    if (inside(target)) return nullptr;
    if ((host == code_.exit || host == code_.checked_store) && !rules_.state().exit_site)
        return "exits: r10 is no exit site";
    auto way = d.kind == HostClass::Call ? EmittedCode::Way::Call : EmittedCode::Way::Jump;
    return code_.may_reach && code_.may_reach(host, way) ? nullptr : "branches: leads to an unknown place";
}

}  // namespace

std::optional<std::string> verify(const EmittedCode& code) { return Verifier{code}.run(); }

}  // namespace vellum
