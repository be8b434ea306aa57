// The reference engine: decodes (with a cache of decoded instructions) and executes one instruction at a time.
#pragma once

#include <memory>

#include "cpu/cpu.hpp"
#include "cpu/decoder.hpp"
#include "cpu/engine.hpp"

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

    // Decoded instructions of a physical page are wanted no longer: it holds data now and need not be watched.
    void forget_decoded(Physical page);

    // A single step for Cpu::debug: one instruction, or, if the processor is halted, the interrupt that ends that.
    // Returns whether it happened; false while nothing wakes the processor. Interrupts that are pending otherwise wait.
    bool step_once();

    // Takes NMI or INTR if one is pending and not held off by IF or a shadow. True: one was taken.
    bool take_interrupt();

 private:
    struct Cache;
    bool finish(Fault f, u32 length);
    void raise(Fault f);
    void deliver(Fault f);
    bool debug_exception_is_due();
    void step_with_care();
    template <bool debugged>
    void run_plainly();
    Stop run_until_stopped();

    Cpu& cpu_;
    Decoder decoder_;
    std::unique_ptr<Cache> cache_;
};

// The rows of all chapters, indexed by mnemonic; null for what is #UD. Where chapters share a mnemonic: the general
// row.
const InstructionRow* find_row(Mnemonic mnemonic);

// The row of this very instruction. By mnemonic and, where one mnemonic names instructions of several chapters, by
// operands: MOV, PUSH and POP (of segment, control and debug registers: system), JMP, CALL and RET (far: system), MOVSD
// and CMPSD (string, SSE2). Null: #UD.
const InstructionRow* find_row(const Instruction& in);

}  // namespace vellum
