// A repetition with iterations left has RF set, and EIP still on it.
#include "device_code.hpp"

namespace vellum::fuzz {

bool repeats_code_of_a_device(CodeMachine& machine, const CodeInput& input, u32 last_slice) {
    machine.begin(input);
    for (u32 slice = 0; slice <= last_slice; ++slice) {
        machine.begin_slice(input, slice);
        for (u32 i = 0; i <= input.header.slice; ++i) {
            bool of_device = machine.next_bytes(1).empty();
            u64 eip = machine.state().eip;
            Stop stop = machine.run(1);
            if (of_device && machine.state().eip == eip && machine.state().eflags & eflags::rf) return true;
            if (stop == Stop::Halted || stop == Stop::TripleFault) break;
        }
    }
    return false;
}

}  // namespace vellum::fuzz
