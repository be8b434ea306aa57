// One pass in address order. States are merged where branches lead forward; where they lead back, and where code is
// entered from outside, only what holds at every block's entry is assumed.
#include "jit/verifier.hpp"

#include <Zydis/Zydis.h>

#include <map>
#include <optional>

#include <fmt/format.h>

#include "cpu/state.hpp"
#include "jit/verifier_list.hpp"
#include "jit/verifier_state.hpp"

namespace vellum {

namespace {

using namespace host_register;
using Pushed = VerifierState::Pushed;

constexpr u64 most_stack_displacement = 1u << 20, most_displacement = (1u << 16) - 1;
constexpr u64 popf_bits = eflags::arithmetic | eflags::df, popf_or_bits = eflags::fixed | eflags::if_;
constexpr u8 action_read = ZYDIS_OPERAND_ACTION_READ, action_write = ZYDIS_OPERAND_ACTION_WRITE,
             action_any_write = ZYDIS_OPERAND_ACTION_WRITE | ZYDIS_OPERAND_ACTION_CONDWRITE,
             action_any_read = ZYDIS_OPERAND_ACTION_READ | ZYDIS_OPERAND_ACTION_CONDREAD;

using Broken = const char*;  // the rule that is broken, or null

u64 magnitude(i64 value) { return value < 0 ? u64{0} - static_cast<u64>(value) : static_cast<u64>(value); }

// 0-15, or none for what is not a general register.
u8 number_of(ZydisRegister r) {
    ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r);
    if (whole < ZYDIS_REGISTER_RAX || whole > ZYDIS_REGISTER_R15) return none;
    return static_cast<u8>(whole - ZYDIS_REGISTER_RAX);
}

bool permitted_class(ZydisRegister r) {
    switch (ZydisRegisterGetClass(r)) {
        case ZYDIS_REGCLASS_GPR8:
        case ZYDIS_REGCLASS_GPR16:
        case ZYDIS_REGCLASS_GPR32:
        case ZYDIS_REGCLASS_GPR64:
        case ZYDIS_REGCLASS_X87:
        case ZYDIS_REGCLASS_MMX:
        case ZYDIS_REGCLASS_XMM:
        case ZYDIS_REGCLASS_FLAGS: return true;
        default:
            return r == ZYDIS_REGISTER_MXCSR || r == ZYDIS_REGISTER_X87CONTROL || r == ZYDIS_REGISTER_X87STATUS ||
                   r == ZYDIS_REGISTER_X87TAG;
    }
}

struct Decoded {
    u32 offset = 0;
    HostClass kind = HostClass::Refused;
    ZydisDecodedInstruction z;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

    std::span<const ZydisDecodedOperand> all() const { return {operands, z.operand_count}; }
    bool is_register(u32 i, u16 bits) const {
        return i < z.operand_count && operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER && operands[i].size == bits &&
               number_of(operands[i].reg.value) != none;
    }
    u8 reg(u32 i) const { return number_of(operands[i].reg.value); }
    bool is_lea() const { return z.mnemonic == ZYDIS_MNEMONIC_LEA; }
    u32 end() const { return offset + z.length; }
    // Relative branches only.
    i64 target() const { return static_cast<i64>(end()) + operands[0].imm.value.s; }
    bool direct() const {
        return z.operand_count && operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operands[0].imm.is_relative;
    }
};

// A memory operand's address, reduced to what rules are about.
struct Address {
    u8 base = none, index = none;
    bool relative = false, absolute = false, scaled = false;
    i64 displacement = 0;
};

Address address_of(const ZydisDecodedOperand& operand) {
    const auto& m = operand.mem;
    Address a;
    a.displacement = m.disp.has_displacement ? m.disp.value : 0;
    a.relative = m.base == ZYDIS_REGISTER_RIP || m.base == ZYDIS_REGISTER_EIP;
    a.base = number_of(m.base);
    a.index = number_of(m.index);
    a.scaled = a.index != none && m.scale > 1;
    a.absolute = m.base == ZYDIS_REGISTER_NONE;
    if (a.index == r13 && !a.scaled) std::swap(a.base, a.index);
    return a;
}

class Verifier {
 public:
    explicit Verifier(const EmittedCode& code) : code_{code} {
        ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    }
    std::optional<std::string> run();

 private:
    // --- flow
    Broken decode_all();
    Broken note_targets();
    void enter(u32 offset);
    Broken step(const Decoded& d);
    Broken branch(const Decoded& d);
    Broken go_to(const Decoded& d);
    bool inside(i64 offset) const { return offset >= 0 && offset < static_cast<i64>(code_.bytes.size()); }

    // --- one instruction
    Broken sequence(const Decoded& d);
    Broken operands(const Decoded& d);
    Broken memory(const Decoded& d, const ZydisDecodedOperand& operand);
    Broken window_memory(const Decoded& d, const ZydisDecodedOperand& operand, const Address& a);
    Broken reads(const Decoded& d);
    Broken writes(const Decoded& d);
    Broken write_register(const Decoded& d, const ZydisDecodedOperand& operand);
    Broken write_stack_pointer(const Decoded& d, const ZydisDecodedOperand& operand);
    Broken string(const Decoded& d);
    bool may_keep(const Decoded& d) const;
    bool small_result(const Decoded& d) const;
    bool rebases(const Decoded& d, u8 r) const;
    bool poll_load(const Decoded& d) const;
    bool poll_touch(const Decoded& d) const;
    void note_access(const Decoded& d);
    void note_flag_image(const Decoded& d);
    bool zero_extended(u8 r) const { return r != none && state_.zero_extended >> r & 1; }
    bool plain_index(u8 r) const {
        return (is_guest(r) || is_scratch(r)) && zero_extended(r) && !(state_.rebased >> r & 1);
    }

    const EmittedCode& code_;
    ZydisDecoder decoder_;
    std::vector<Decoded> instructions_;
    std::map<u32, std::optional<VerifierState>> labels_;  // forward targets: what is known when control gets there
    std::vector<u8> starts_, entered_;                    // by offset
    VerifierState state_;
    bool reachable_ = true;
    u32 at_ = 0;
};

// ---------------------------------------------------------------------------------------------------------- flow

std::optional<std::string> Verifier::run() {
    Broken broken = decode_all();
    if (!broken) broken = note_targets();
    if (!broken)
        for (const Decoded& d : instructions_) {
            at_ = d.offset;
            broken = step(d);
            if (broken) break;
        }
    if (!broken && reachable_) broken = "branches: control runs off the end";
    if (!broken) return std::nullopt;
    std::string text = "?", bytes;
    for (const Decoded& d : instructions_)
        if (d.offset == at_) {
            text = ZydisMnemonicGetString(d.z.mnemonic);
            for (u32 i = d.offset; i < d.end(); ++i) bytes += fmt::format(" {:02x}", code_.bytes[i]);
        }
    return fmt::format("+{:#x}: {}{}: {}", at_, text, bytes, broken);
}

Broken Verifier::decode_all() {
    starts_.assign(code_.bytes.size() + 1, 0);
    entered_.assign(code_.bytes.size() + 1, 0);
    while (at_ < code_.bytes.size()) {
        Decoded& d = instructions_.emplace_back();
        d.offset = at_;
        if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder_, code_.bytes.data() + at_, code_.bytes.size() - at_, &d.z,
                                                 d.operands))) {
            instructions_.pop_back();
            return "list: not an instruction";
        }
        d.kind = host_class(d.z);
        if (d.kind == HostClass::Refused) return "list: not on the positive list";
        starts_[at_] = 1;
        at_ = d.end();
    }
    return nullptr;
}

Broken Verifier::note_targets() {
    auto note_entry = [&](u64 offset) -> Broken {
        if (offset >= code_.bytes.size() || !starts_[offset]) return "branches: an entry is not an instruction";
        entered_[offset] = 1;
        return nullptr;
    };
    at_ = 0;
    if (instructions_.empty()) return "branches: nothing is there";
    for (u32 entry : code_.entries)
        if (Broken b = note_entry(entry)) return b;
    for (const Decoded& d : instructions_) {
        at_ = d.offset;
        if (d.kind == HostClass::Call)
            if (Broken b = note_entry(d.end())) return b;
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

Broken Verifier::step(const Decoded& d) {
    bool label = labels_.contains(d.offset);
    if (reachable_ && (label || entered_[d.offset]) && !state_.between_sequences())
        return "branches: into the middle of a sequence";
    if (entered_[d.offset]) {
        if (reachable_ && !state_.settled()) return "drift: r12 moved too far without an access or a normalisation";
        state_ = {};
        reachable_ = true;
    } else if (label) {
        const auto& seen = labels_[d.offset];
        if (seen && reachable_)
            state_.merge(*seen);
        else if (seen)
            state_ = *seen;
        reachable_ |= seen.has_value();
    }
    if (!reachable_) {
        if (d.kind == HostClass::Breakpoint) return nullptr;
        state_ = {};  // nothing leads here that we know of: checked as if it were an entry
        reachable_ = true;
    }
    if (Broken b = sequence(d)) return b;
    return branch(d);
}

// The instruction's effect on where control goes.
Broken Verifier::branch(const Decoded& d) {
    switch (d.kind) {
        case HostClass::Jump: {
            Broken b = go_to(d);
            reachable_ = false;
            return b;
        }
        case HostClass::Branch:
        case HostClass::Call: return go_to(d);  // what follows a call is an entry
        case HostClass::Return:
            if (d.all()[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE || d.z.raw.imm[0].size)
                return "branches: only the plain near return";
            if (d.z.attributes & (ZYDIS_ATTRIB_HAS_OPERANDSIZE | ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPNE) ||
                d.z.meta.branch_type != ZYDIS_BRANCH_TYPE_NEAR)
                return "branches: only the plain near return";
            if (!state_.settled()) return "drift: control leaves with r12 unsettled or inside a sequence";
            reachable_ = false;
            return nullptr;
        default: return nullptr;
    }
}

Broken Verifier::go_to(const Decoded& d) {
    if (!state_.between_sequences()) return "branches: out of the middle of a sequence";
    for (u32 link : code_.links)
        if (link == d.end() - 4 && !state_.settled()) return "drift: a link leaves with r12 too far from the window";
    i64 target = d.target();
    bool forward = inside(target) && target > d.offset && !entered_[static_cast<u32>(target)];
    if (forward && d.kind != HostClass::Call) {
        auto& seen = labels_[static_cast<u32>(target)];
        VerifierState there = state_;
        if (seen) there.merge(*seen);
        there.poll_register = none;
        seen = there;
        return nullptr;
    }
    u64 host = code_.address + static_cast<u64>(target);
    bool renewed =
        !inside(target) && d.kind != HostClass::Call && code_.renews_stack_pointer && code_.renews_stack_pointer(host);
    if (!renewed && !state_.settled()) return "drift: control leaves with r12 too far from the window";
    if (inside(target)) return nullptr;
    return code_.may_reach && code_.may_reach(host) ? nullptr : "branches: leads to an unknown place";
}

// ----------------------------------------------------------------------------------------------- one instruction

// Sequences that stretch over two instructions; anything else goes by its operands.
Broken Verifier::sequence(const Decoded& d) {
    Pushed pushed = state_.pushed;
    state_.pushed = Pushed::Nothing;
    if (pushed == Pushed::Flags && d.kind != HostClass::Pop) return "flags: PUSHFQ without POP after it";
    if (pushed == Pushed::FlagImage && d.kind != HostClass::PopFlags) return "flags: PUSH without POPFQ after it";
    bool touches = poll_touch(d);
    state_.poll_register = none;
    if (touches) return writes(d);
    switch (d.kind) {
        case HostClass::PushFlags: state_.pushed = Pushed::Flags; return nullptr;
        case HostClass::Pop:
            if (pushed != Pushed::Flags || !d.is_register(0, 64)) return "flags: POP is only for after PUSHFQ";
            if (!is_guest(d.reg(0)) && !is_scratch(d.reg(0))) return "registers: written by POP";
            state_.zero_extended |= 1u << d.reg(0);  // RFLAGS' upper half is zero
            state_.flag_images &= ~(1u << d.reg(0));
            return nullptr;
        case HostClass::Push:
            if (!d.is_register(0, 64) || !(state_.flag_images >> d.reg(0) & 1) || !zero_extended(d.reg(0)))
                return "flags: PUSH is only for a masked image of flags";
            state_.pushed = Pushed::FlagImage;
            return nullptr;
        case HostClass::PopFlags:
            return pushed == Pushed::FlagImage ? nullptr : "flags: POPFQ without a masked image before it";
        case HostClass::Breakpoint: return "list: INT3 can be reached";
        case HostClass::Branch:
            state_.flag_images &= ~(1u << rcx);  // LOOP
            return nullptr;
        case HostClass::Nop:
        case HostClass::Jump:
        case HostClass::Call:
        case HostClass::Return: return nullptr;
        default: return operands(d);
    }
}

bool Verifier::poll_load(const Decoded& d) const {
    if (d.z.mnemonic != ZYDIS_MNEMONIC_MOV || !d.is_register(0, 64) || !is_scratch(d.reg(0))) return false;
    if (d.operands[1].type != ZYDIS_OPERAND_TYPE_MEMORY) return false;
    Address a = address_of(d.operands[1]);
    return d.z.address_width == 64 && a.base == r15 && a.index == none &&
           a.displacement == static_cast<i64>(offsetof(CpuState, poll)) &&
           d.operands[1].mem.segment != ZYDIS_REGISTER_GS;
}

bool Verifier::poll_touch(const Decoded& d) const {
    if (state_.poll_register == none || d.z.mnemonic != ZYDIS_MNEMONIC_MOV || !d.is_register(0, 32)) return false;
    if (!is_scratch(d.reg(0)) || d.operands[1].type != ZYDIS_OPERAND_TYPE_MEMORY) return false;
    Address a = address_of(d.operands[1]);
    return d.z.address_width == 64 && a.base == state_.poll_register && a.index == none && a.displacement == 0 &&
           d.operands[1].mem.segment != ZYDIS_REGISTER_GS;
}

Broken Verifier::operands(const Decoded& d) {
    if (d.kind == HostClass::String)
        if (Broken b = string(d)) return b;
    if (Broken b = reads(d)) return b;
    for (const auto& operand : d.all())
        if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY && d.kind != HostClass::String)
            if (Broken b = memory(d, operand)) return b;
    bool polls = poll_load(d);
    note_access(d);
    if (d.kind != HostClass::String)
        if (Broken b = writes(d)) return b;
    note_flag_image(d);
    if (polls) state_.poll_register = d.reg(0);
    return nullptr;
}

Broken Verifier::reads(const Decoded& d) {
    for (const auto& operand : d.all()) {
        if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER) continue;
        if (!permitted_class(operand.reg.value)) return "list: a register that is none of the guest's";
        u8 r = number_of(operand.reg.value);
        if (r == rsp) return "registers: rsp";
        if (d.kind == HostClass::String || !(operand.actions & action_any_read)) continue;
        if (r == r13 || r == r15) return "registers: r13 and r15 are only bases of operands";
        // `mov esi,esi` is how a rebased register comes back.
        bool comes_back =
            d.z.mnemonic == ZYDIS_MNEMONIC_MOV && operand.size == 32 && d.is_register(0, 32) && d.reg(0) == r;
        if (r != none && state_.rebased >> r & 1 && !comes_back) return "strings: a rebased register is used";
    }
    return nullptr;
}

Broken Verifier::memory(const Decoded& d, const ZydisDecodedOperand& operand) {
    const auto& m = operand.mem;
    Address a = address_of(operand);
    for (u8 r : {a.base, a.index})
        if (r != none && state_.rebased >> r & 1 && !(d.is_lea() && rebases(d, r)))
            return "strings: a rebased register is used";
    if (d.is_lea()) {
        bool known = a.base != r15 && a.index != r15 && a.base != rsp && !a.relative;
        return known ? nullptr : "registers: the address of the host's own is taken";
    }
    if (m.segment == ZYDIS_REGISTER_FS) return "memory: fs";
    if (m.segment == ZYDIS_REGISTER_GS) {
        if (d.z.address_width != 32 || a.relative) return "memory: gs needs 32-bit addressing";
        if (a.base == r13 || a.base == r15 || a.base == rsp || a.index == r13 || a.index == r15)
            return "memory: gs with a register of the host's";
        if (d.kind == HostClass::FxImage) return "memory: FXSAVE through the window";
        return window_memory(d, operand, a);
    }
    if (d.z.address_width != 64) return "memory: 32-bit addressing needs gs";
    bool writes_it = operand.actions & action_any_write;
    u32 bytes = std::max<u32>(operand.size / 8, 1);
    if (a.relative) {
        u64 at = code_.address + d.end() + static_cast<u64>(a.displacement);
        if (d.kind == HostClass::BitString && d.operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER)
            return "memory: bit strings need gs";
        return code_.may_touch && code_.may_touch(at, bytes, writes_it) ? nullptr : "memory: RIP-relative";
    }
    if (d.kind == HostClass::BitString && d.operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER)
        return "memory: bit strings need gs";
    if (a.base == r15) {
        bool in_state =
            a.index == none && a.displacement >= 0 && static_cast<u64>(a.displacement) + bytes <= code_.state_bytes;
        return in_state ? nullptr : "memory: outside of the state";
    }
    if (d.kind == HostClass::FxImage) return "memory: FXSAVE through the window";
    return window_memory(d, operand, a);
}

Broken Verifier::window_memory(const Decoded& d, const ZydisDecodedOperand& operand, const Address& a) {
    if (state_.stack_low) return "low half: memory is accessed before r12 is a pointer again";
    if (state_.rebased) return "strings: memory is accessed between rebasing and going back";
    if (operand.actions & action_any_write)
        for (const auto& other : d.all())
            if (other.type == ZYDIS_OPERAND_TYPE_REGISTER && other.size == 64 && number_of(other.reg.value) != none)
                return "memory: a 64-bit general register is stored where the guest sees it";
    if (operand.mem.segment == ZYDIS_REGISTER_GS) return nullptr;
    if (a.base == r12) {
        if (a.index != none) return "memory: r12 with an index";
        return magnitude(a.displacement) <= most_stack_displacement ? nullptr : "memory: too far from r12";
    }
    if (a.base != r13) return "memory: not a form that stays in the window";
    if (a.index == none) return a.displacement >= 0 ? nullptr : "memory: below the window";
    if (a.scaled || !plain_index(a.index)) return "memory: not a zero-extended register on r13";
    return magnitude(a.displacement) <= most_displacement ? nullptr : "memory: too far from [r13+register]";
}

// A load or store through r12 that surely happened was inside the window.
void Verifier::note_access(const Decoded& d) {
    if (d.kind == HostClass::Hint || d.kind == HostClass::String || d.is_lea()) return;
    for (const auto& operand : d.all()) {
        if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY || operand.mem.segment == ZYDIS_REGISTER_GS) continue;
        Address a = address_of(operand);
        if (a.base == r12 && operand.actions & (action_read | action_write))
            state_.drift = std::min(state_.drift, magnitude(a.displacement));
    }
}

void Verifier::note_flag_image(const Decoded& d) {
    if (!d.is_register(0, 32) || d.z.operand_count < 2 || d.operands[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE) return;
    u32 bit = 1u << d.reg(0), value = static_cast<u32>(d.operands[1].imm.value.u);
    if (d.z.mnemonic == ZYDIS_MNEMONIC_AND && !(value & ~popf_bits)) state_.flag_images |= bit;
}

Broken Verifier::writes(const Decoded& d) {
    u32 images = state_.flag_images;
    for (const auto& operand : d.all())
        if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER && operand.actions & action_any_write)
            if (Broken b = write_register(d, operand)) return b;
    // OR of bits that POPFQ ignores or that are always one keeps an image what it is.
    if (d.z.mnemonic == ZYDIS_MNEMONIC_OR && d.is_register(0, 32) &&
        d.operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
        !(static_cast<u32>(d.operands[1].imm.value.u) & ~popf_or_bits))
        state_.flag_images |= images & 1u << d.reg(0);
    return nullptr;
}

Broken Verifier::write_register(const Decoded& d, const ZydisDecodedOperand& operand) {
    u8 r = number_of(operand.reg.value);
    if (r == none) return nullptr;  // x87, MMX, SSE, flags
    u32 bit = 1u << r;
    state_.flag_images &= ~bit;
    if (r == r12) return write_stack_pointer(d, operand);
    if (!is_guest(r) && !is_scratch(r)) return "registers: r13, r15 and rsp are never written";
    if (operand.size < 32) return state_.rebased & bit ? "strings: a rebased register is used" : nullptr;
    if (operand.size == 32) {
        if (state_.rebased & bit && may_keep(d)) return "strings: a rebased register is used";
        state_.rebased &= ~bit;
        if (!may_keep(d)) state_.zero_extended |= bit;
        return nullptr;
    }
    if (is_guest(r) && rebases(d, r)) {
        state_.rebased |= bit;
        return nullptr;
    }
    bool small = small_result(d);
    if (is_guest(r)) return small ? nullptr : "registers: a 64-bit write to a guest register";
    state_.zero_extended = small ? state_.zero_extended | bit : state_.zero_extended & ~bit;
    return nullptr;
}

// May the destination stay as it was, its upper half included? Not when a shift has a count that is not zero.
bool Verifier::may_keep(const Decoded& d) const {
    if (d.kind != HostClass::Keeps) return false;
    for (const auto& operand : d.all())
        if (operand.type == ZYDIS_OPERAND_TYPE_IMMEDIATE) return (operand.imm.value.u & 31) == 0;
    return true;
}

// A 64-bit result that is surely below 4 GiB?
bool Verifier::small_result(const Decoded& d) const {
    switch (d.z.mnemonic) {
        case ZYDIS_MNEMONIC_MOVZX: return true;
        case ZYDIS_MNEMONIC_MOV:
            if (d.operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) return d.operands[1].imm.value.u >> 32 == 0;
            return d.is_register(1, 64) && plain_index(d.reg(1));
        case ZYDIS_MNEMONIC_XCHG:
            return d.is_register(0, 64) && d.is_register(1, 64) && plain_index(d.reg(0)) && plain_index(d.reg(1));
        default: return false;
    }
}

// `lea rsi,[rsi+r13]` or the same of rdi?
bool Verifier::rebases(const Decoded& d, u8 r) const {
    if ((r != rsi && r != rdi) || !d.is_lea() || !d.is_register(0, 64) || d.reg(0) != r) return false;
    Address a = address_of(d.operands[1]);
    return d.z.address_width == 64 && a.base == r13 && a.index == r && !a.scaled && a.displacement == 0 &&
           !(state_.rebased >> r & 1);
}

Broken Verifier::write_stack_pointer(const Decoded& d, const ZydisDecodedOperand& operand) {
    if (operand.size == 32) {
        if (may_keep(d)) return "low half: r12 may keep its upper half";
        state_.stack_low = true;
        return nullptr;
    }
    if (state_.stack_low && operand.size < 64) return nullptr;
    if (operand.size < 64) {
        state_.drift = (state_.drift + 0xFFFF) & ~u64{0xFFFF};  // stays in its 64 KiB
        return nullptr;
    }
    if (!d.is_lea() || d.z.address_width != 64) return "registers: a 64-bit write to r12";
    Address a = address_of(d.operands[1]);
    u64 distance = magnitude(a.displacement);
    if (a.base == r13 && a.index == r12 && !a.scaled && distance == 0) {
        if (!state_.stack_low) return "low half: r12 is a pointer already";
        state_.stack_low = false;
        state_.drift = 0;
        return nullptr;
    }
    if (state_.stack_low) return "low half: r12 is no pointer";
    if (a.base == r13 && !a.scaled && plain_index(a.index))
        state_.drift = distance;
    else if (a.base == r12 && a.index == none)
        state_.drift += distance;
    else
        return "registers: a 64-bit write to r12";
    return state_.drift <= 2 * VerifierState::most_drift ? nullptr : "drift: r12 is moved too far";
}

Broken Verifier::string(const Decoded& d) {
    bool through_gs = false;
    u32 wanted = 0;
    for (const auto& operand : d.all()) {
        if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY) continue;
        if (operand.mem.segment == ZYDIS_REGISTER_GS) {
            through_gs = true;
            if (d.z.address_width != 32) return "memory: gs needs 32-bit addressing";
        } else {
            if (d.z.address_width != 64) return "memory: 32-bit addressing needs gs";
            wanted |= 1u << number_of(operand.mem.base);
        }
    }
    if (state_.stack_low) return "low half: memory is accessed before r12 is a pointer again";
    if (through_gs && wanted) return "strings: es cannot be overridden";
    if ((state_.rebased & wanted) != wanted) return "strings: rsi or rdi is not rebased";
    if (through_gs && state_.rebased >> rsi & 1) return "strings: a rebased register is used";
    state_.flag_images = 0;
    return nullptr;
}

}  // namespace

std::optional<std::string> verify(const EmittedCode& code) { return Verifier{code}.run(); }

}  // namespace vellum
