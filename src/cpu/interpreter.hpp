// The reference engine: decodes (with a cache of decoded instructions) and executes one instruction at a time.
#pragma once

#include <memory>

#include "cpu/cpu.hpp"
#include "cpu/decoder.hpp"
#include "cpu/engine.hpp"
#include "cpu/rows.hpp"

namespace vellum {

class Interpreter final : public Engine {
 public:
    explicit Interpreter(Cpu& cpu);
    ~Interpreter() override;

    std::string_view name() const override { return "interp"; }
    Stop run() override;
    void state_replaced() override;
    EngineStatistics statistics() const override;

    // Executes the one instruction at CS:EIP and delivers the exception that it raises, if any. Pending interrupts are
    // not looked at. `instructions` is counted; a REP string instruction does at most `most_iterations` of its
    // iterations (EIP stays on it while some are left), which is at least 1. Afterwards CpuState::activity tells of
    // HLT and of shutdown.
    void step(u64 most_iterations = 4096);

    // Takes NMI or INTR if one is pending and not held off by IF or a shadow. True: one was taken.
    bool take_interrupt();

 private:
    struct Cache;
    bool finish(Fault f, u32 length);
    void deliver(Fault f);
    void step_with_care();
    void run_plainly();
    Stop run_until_stopped();

    Cpu& cpu_;
    Decoder decoder_;
    std::unique_ptr<Cache> cache_;
};

// The rows of all chapters, indexed by mnemonic; null for what is #UD. Where chapters share a mnemonic this is the more
// general row; find_row(const Instruction&) in specialise.hpp tells them apart.
const InstructionRow* find_row(Mnemonic mnemonic);

// The same for a whole instruction: MOVSD and CMPSD are names of a string and of an SSE2 instruction each.
inline const InstructionRow* find_row(const Instruction& in) {
    const InstructionRow* row = simd_row_of_shared_name(in);
    return row ? row : find_row(in.mnemonic);
}

}  // namespace vellum
