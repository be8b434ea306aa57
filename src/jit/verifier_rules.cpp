// Sequences first, then operands: reads, memory, writes.
#include "jit/verifier_rules.hpp"

#include <algorithm>
#include <utility>

#include "cpu/state.hpp"

namespace vellum {

namespace {

using namespace host_register;
using Pushed = VerifierState::Pushed;

constexpr u64 most_stack_displacement = 1u << 20, most_displacement = (1u << 16) - 1;
constexpr u32 most_stored_bits = 128;
constexpr u64 popf_bits = eflags::arithmetic | eflags::df, popf_or_bits = eflags::fixed | eflags::if_;
constexpr u8 action_read = ZYDIS_OPERAND_ACTION_READ, action_write = ZYDIS_OPERAND_ACTION_WRITE,
             action_any_write = ZYDIS_OPERAND_ACTION_WRITE | ZYDIS_OPERAND_ACTION_CONDWRITE,
             action_any_read = ZYDIS_OPERAND_ACTION_READ | ZYDIS_OPERAND_ACTION_CONDREAD;

u64 magnitude(i64 value) { return value < 0 ? u64{0} - static_cast<u64>(value) : static_cast<u64>(value); }

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

bool locks(const HostInstruction& d) {
    bool exchanges = d.z.mnemonic == ZYDIS_MNEMONIC_XCHG &&
                     std::any_of(d.all().begin(), d.all().end(), [](const ZydisDecodedOperand& operand) {
                         return operand.type == ZYDIS_OPERAND_TYPE_MEMORY;
                     });
    return exchanges || d.z.attributes & ZYDIS_ATTRIB_HAS_LOCK;
}

}  // namespace

// Sequences that stretch over two instructions; anything else goes by its operands.
BrokenRule VerifierRules::apply(const HostInstruction& d) {
    Pushed pushed = state_.pushed;
    state_.pushed = Pushed::Nothing;
    store_target_ = std::exchange(state_.store_target, false);
    if (pushed == Pushed::Flags && d.kind != HostClass::Pop) return "flags: PUSHFQ without POP after it";
    if (pushed == Pushed::FlagImage && d.kind != HostClass::PopFlags) return "flags: PUSH without POPFQ after it";
    bool touches = poll_touch(d);
    if (state_.poll_register != none && !touches) return "poll: its address is not used at once";
    state_.poll_register = none;
    if (touches) return writes(d);
    switch (d.kind) {
        case HostClass::PushFlags: state_.pushed = Pushed::Flags; return nullptr;
        case HostClass::Pop:
            if (pushed != Pushed::Flags || !d.is_register(0, 64)) return "flags: POP is only for after PUSHFQ";
            if (!is_guest(d.reg(0)) && !is_scratch(d.reg(0))) return "registers: written by POP";
            state_.zero_extended |= 1u << d.reg(0);  // RFLAGS' upper half is zero
            state_.flag_images &= ~(1u << d.reg(0));
            if (d.reg(0) == r10) state_.exit_site = false;
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

bool VerifierRules::poll_load(const HostInstruction& d) const {
    if (d.z.mnemonic != ZYDIS_MNEMONIC_MOV || !d.is_register(0, 64) || !is_scratch(d.reg(0))) return false;
    if (d.operands[1].type != ZYDIS_OPERAND_TYPE_MEMORY) return false;
    HostAddress a = address_of(d.operands[1]);
    return d.z.address_width == 64 && a.base == r15 && a.index == none &&
           a.displacement == static_cast<i64>(offsetof(CpuState, poll)) &&
           d.operands[1].mem.segment != ZYDIS_REGISTER_GS;
}

bool VerifierRules::poll_touch(const HostInstruction& d) const {
    if (state_.poll_register == none || d.z.mnemonic != ZYDIS_MNEMONIC_MOV || !d.is_register(0, 32)) return false;
    if (!is_scratch(d.reg(0)) || d.operands[1].type != ZYDIS_OPERAND_TYPE_MEMORY) return false;
    HostAddress a = address_of(d.operands[1]);
    return d.z.address_width == 64 && a.base == state_.poll_register && a.index == none && a.displacement == 0 &&
           d.operands[1].mem.segment != ZYDIS_REGISTER_GS;
}

BrokenRule VerifierRules::operands(const HostInstruction& d) {
    if (!code_.may_lock && locks(d)) return "locks: nothing needs to be locked";
    if (d.kind == HostClass::String)
        if (BrokenRule b = string(d)) return b;
    if (BrokenRule b = reads(d)) return b;
    for (const auto& operand : d.all())
        if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY && d.kind != HostClass::String)
            if (BrokenRule b = memory(d, operand)) return b;
    bool polls = poll_load(d);
    note_access(d);
    if (d.kind != HostClass::String)
        if (BrokenRule b = writes(d)) return b;
    note_flag_image(d);
    state_.store_target = loads_store_target(d);
    if (polls) state_.poll_register = d.reg(0);
    return nullptr;
}

BrokenRule VerifierRules::reads(const HostInstruction& d) {
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

BrokenRule VerifierRules::memory(const HostInstruction& d, const ZydisDecodedOperand& operand) {
    const auto& m = operand.mem;
    HostAddress a = address_of(operand);
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
        if (poll_load(d)) return nullptr;
        bool permitted = a.index == none && a.displacement >= 0 && code_.may_touch_state &&
                         code_.may_touch_state(static_cast<u64>(a.displacement), bytes, writes_it);
        return permitted ? nullptr : "memory: not a word of the state that blocks may touch";
    }
    if (d.kind == HostClass::FxImage) return "memory: FXSAVE through the window";
    return window_memory(d, operand, a);
}

BrokenRule VerifierRules::window_memory(const HostInstruction& d, const ZydisDecodedOperand& operand,
                                        const HostAddress& a) {
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
    bool checked = store_target_ && a.base == r8 && a.index == none && a.displacement == 0;
    if (checked) return operand.size <= most_stored_bits ? nullptr : "stores: more than what was checked";
    if (a.base != r13) return "memory: not a form that stays in the window";
    if (a.index == none) return a.displacement >= 0 ? nullptr : "memory: below the window";
    if (a.scaled || !plain_index(a.index)) return "memory: not a zero-extended register on r13";
    return magnitude(a.displacement) <= most_displacement ? nullptr : "memory: too far from [r13+register]";
}

// `mov r32,[r8]` or MOVZX, which leaves r8 what it is.
bool VerifierRules::loads_store_target(const HostInstruction& d) const {
    bool load = d.z.mnemonic == ZYDIS_MNEMONIC_MOV || d.z.mnemonic == ZYDIS_MNEMONIC_MOVZX;
    if (!store_target_ || !load || !d.is_register(0, 32) || !is_scratch(d.reg(0)) || d.reg(0) == r8) return false;
    const ZydisDecodedOperand& from = d.operands[1];
    return from.type == ZYDIS_OPERAND_TYPE_MEMORY && from.mem.segment != ZYDIS_REGISTER_GS &&
           address_of(from).base == r8;
}

// A load or store through r12 that surely happened was inside the window.
void VerifierRules::note_access(const HostInstruction& d) {
    if (d.kind == HostClass::Hint || d.kind == HostClass::String || d.is_lea()) return;
    for (const auto& operand : d.all()) {
        if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY || operand.mem.segment == ZYDIS_REGISTER_GS) continue;
        HostAddress a = address_of(operand);
        if (a.base == r12 && operand.actions & (action_read | action_write))
            state_.drift = std::min(state_.drift, magnitude(a.displacement));
    }
}

void VerifierRules::note_flag_image(const HostInstruction& d) {
    if (!d.is_register(0, 32) || d.z.operand_count < 2 || d.operands[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE) return;
    u32 bit = 1u << d.reg(0), value = static_cast<u32>(d.operands[1].imm.value.u);
    if (d.z.mnemonic == ZYDIS_MNEMONIC_AND && !(value & ~popf_bits)) state_.flag_images |= bit;
}

BrokenRule VerifierRules::writes(const HostInstruction& d) {
    u32 images = state_.flag_images;
    for (const auto& operand : d.all())
        if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER && operand.actions & action_any_write)
            if (BrokenRule b = write_register(d, operand)) return b;
    // OR of bits that POPFQ ignores or that are always one keeps an image what it is.
    if (d.z.mnemonic == ZYDIS_MNEMONIC_OR && d.is_register(0, 32) &&
        d.operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
        !(static_cast<u32>(d.operands[1].imm.value.u) & ~popf_or_bits))
        state_.flag_images |= images & 1u << d.reg(0);
    return nullptr;
}

BrokenRule VerifierRules::write_register(const HostInstruction& d, const ZydisDecodedOperand& operand) {
    u8 r = number_of(operand.reg.value);
    if (r == none) return nullptr;  // x87, MMX, SSE, flags
    u32 bit = 1u << r;
    state_.flag_images &= ~bit;
    if (r == r10) state_.exit_site = loads_exit_site(d);
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
bool VerifierRules::may_keep(const HostInstruction& d) const {
    if (d.kind != HostClass::Keeps) return false;
    for (const auto& operand : d.all())
        if (operand.type == ZYDIS_OPERAND_TYPE_IMMEDIATE) return (operand.imm.value.u & 31) == 0;
    return true;
}

// A 64-bit result that is surely below 4 GiB?
bool VerifierRules::small_result(const HostInstruction& d) const {
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

bool VerifierRules::loads_exit_site(const HostInstruction& d) const {
    if (d.z.mnemonic != ZYDIS_MNEMONIC_MOV || !d.is_register(0, 64)) return false;
    if (d.operands[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE) return false;
    return std::find(code_.exit_sites.begin(), code_.exit_sites.end(), d.operands[1].imm.value.u) !=
           code_.exit_sites.end();
}

// `lea rsi,[rsi+r13]` or the same of rdi?
bool VerifierRules::rebases(const HostInstruction& d, u8 r) const {
    if ((r != rsi && r != rdi) || !d.is_lea() || !d.is_register(0, 64) || d.reg(0) != r) return false;
    HostAddress a = address_of(d.operands[1]);
    return d.z.address_width == 64 && a.base == r13 && a.index == r && !a.scaled && a.displacement == 0 &&
           !(state_.rebased >> r & 1);
}

BrokenRule VerifierRules::write_stack_pointer(const HostInstruction& d, const ZydisDecodedOperand& operand) {
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
    HostAddress a = address_of(d.operands[1]);
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

BrokenRule VerifierRules::string(const HostInstruction& d) {
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

bool VerifierRules::zero_extended(u8 r) const { return r != none && state_.zero_extended >> r & 1; }

bool VerifierRules::plain_index(u8 r) const {
    return (is_guest(r) || is_scratch(r)) && zero_extended(r) && !(state_.rebased >> r & 1);
}

}  // namespace vellum
