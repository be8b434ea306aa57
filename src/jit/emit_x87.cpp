// What translated code tells of its x87 instructions: where the last of them was. The host's own pointer is of no use:
// it names code that may have moved, and some processors save it only while an exception is pending.
#include "cpu/fpu.hpp"
#include "jit/emitter.hpp"

namespace vellum {

// The index of the instruction that will be the last one instead of in(), if control gets that far by no other way than
// from here; 0: there is none.
u32 BlockEmitter::next_x87() const {
    for (u32 i = index_ + 1; i < guest_.instructions.size(); ++i) {
        if (guest_.labels[i] || ends_block(guest_.rules[i])) return 0;
        const Instruction& other = guest_.instructions[i];
        if (other.mnemonic == ZYDIS_MNEMONIC_FLDCW) return 0;
        if (x87::is_remembered(other)) return i;
    }
    return 0;
}

// Behind in(), which has been executed.
void BlockEmitter::tell_of_x87() {
    LastX87& last = runtime_.context->last_x87;
    if (in().mnemonic == ZYDIS_MNEMONIC_FLDCW)
        return e_.store8_imm(HostMem::absolute(&last.above), LastX87::loaded_control);
    if (!x87::is_remembered(in())) return;
    if (u32 next = next_x87()) return tables_.unstored_x87.push_back({static_cast<u8>(index_), static_cast<u8>(next)});
    e_.store64_imm(HostMem::absolute(&last), static_cast<i32>(eip()));
    note_eip_constant(false);
}

}  // namespace vellum
