// The guest's FPU state as translated code left it in the host's registers, and what the x87 unit remembers of its last
// instruction (docs/decisions/x87-pointers.md).
#include <algorithm>
#include <cstring>

#include "cpu/fpu.hpp"
#include "jit/dispatcher.hpp"

namespace vellum {

namespace {

// Of a block's instructions up to where control left: the last x87 instruction, if its EIP was not stored.
const UnstoredX87* unstored_at(const ExitSite& site) {
    bool inside = site.kind == ExitSite::Kind::Interpret || site.kind == ExitSite::Kind::Boundary ||
                  site.kind == ExitSite::Kind::Fault;
    if (!inside || !site.block || site.block->unstored_x87.empty()) return nullptr;
    const auto& eips = site.block->eips;
    auto index = std::find(eips.begin(), eips.end(), site.eip) - eips.begin();
    for (const UnstoredX87& x : site.block->unstored_x87)
        if (x.index < index && index <= x.next) return &x;
    return nullptr;
}

}  // namespace

// Since translated code was entered. FLDCW can make an exception pending that was masked when it was raised: it is not
// that of the instruction before it.
std::optional<Translator::LastInstruction> Translator::last_x87(const JitContext& context) const {
    if (const UnstoredX87* unstored = unstored_at(*context.exit))
        return LastInstruction{context.exit->block->eips[unstored->index], true};
    if (!context.last_x87.is_known()) return std::nullopt;
    return LastInstruction{context.last_x87.offset, !context.last_x87.control_was_loaded()};
}

// The instruction is read anew, for nobody has kept it: exceptions that are not masked are rare. Of its operand the
// host knows the address: it is the guest's, but for the window's.
void Translator::note_x87_exception(u32 offset, u32 data_address) {
    std::array<u8, 15> bytes{};
    u32 count = 0;
    for (; count < bytes.size(); ++count) {
        auto at =
            cpu_.mmu.look_up(static_cast<Linear>(static_cast<u32>(state_.segment(Seg::Cs).base + offset + count)));
        if (!at) break;
        cpu_.memory.read(*at, std::span{bytes}.subspan(count, 1));
    }
    DecodeStatus status;
    const Instruction* in = memo_.decode(std::span{bytes}.first(count), state_.code32(), status);
    if (!in || !x87::is_remembered(*in)) return;  // it has been overwritten since
    u32 data_offset = data_address - static_cast<u32>(state_.segment(in->memory.segment).base);
    x87::set_pointers(state_.fpu, x87::pointers_of(state_, *in, offset, data_offset));
}

// What FXSAVE wrote, but for what tells of the host: pointers, the mask of MXCSR, XMM8-15. While the state was in the
// host's registers CS was the same, since far transfers are the interpreter's.
void Translator::take_over_fpu(const JitContext& context) {
    const FxImage& saved = context.fpu;
    FxImage& fpu = state_.fpu;
    fpu.control = saved.control;
    fpu.status = saved.status;
    fpu.tags = saved.tags;
    fpu.mxcsr = saved.mxcsr;
    std::memcpy(fpu.st, saved.st, sizeof fpu.st);
    std::memcpy(fpu.xmm, saved.xmm, sizeof fpu.xmm);
    std::optional<LastInstruction> last = last_x87(context);
    if (!last) return;
    x87::set_pointers(fpu,
                      {.instruction_offset = last->offset, .instruction_selector = state_.segment(Seg::Cs).selector});
    if (x87::pending(fpu) && last->may_raise) note_x87_exception(last->offset, saved.data_offset);
}

}  // namespace vellum
