// Signal handlers on Linux. The handlers are the process's; which sink is asked is the thread's.
#include "jit/host_faults.hpp"

#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/host_error.hpp"
#include "jit/registers.hpp"

namespace vellum {

namespace {

constexpr int handled_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
constexpr u64 spare_stack_bytes = 256 << 10;

// Host registers in the order of HostReg.
constexpr int register_index[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
constexpr long long trap_page_fault = 14;

thread_local HostFaultSink* current_sink = nullptr;
std::array<struct sigaction, std::size(handled_signals)> previous_actions;

void hand_on(int signal, siginfo_t* info, void* context) {
    std::size_t at = static_cast<std::size_t>(
        std::find(std::begin(handled_signals), std::end(handled_signals), signal) - std::begin(handled_signals));
    const struct sigaction& previous = previous_actions[at];
    if (previous.sa_flags & SA_SIGINFO) return previous.sa_sigaction(signal, info, context);
    if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) return previous.sa_handler(signal);
    struct sigaction ordinary {};
    ordinary.sa_handler = SIG_DFL;
    sigaction(signal, &ordinary, nullptr);  // the instruction faults again and ends the process as usual
}

HostFault::Kind kind_of(int signal, long long trap) {
    if (signal == SIGFPE) return HostFault::Kind::Arithmetic;
    if (signal == SIGILL) return HostFault::Kind::Other;
    return trap == trap_page_fault ? HostFault::Kind::Page : HostFault::Kind::Protection;
}

void on_signal(int signal, siginfo_t* info, void* context) {
    HostFaultSink* sink = current_sink;
    auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
    if (sink) {
        HostFault fault;
        fault.kind = kind_of(signal, machine.gregs[REG_TRAPNO]);
        fault.write = machine.gregs[REG_ERR] & 2;
        fault.address = reinterpret_cast<u64>(info->si_addr);
        fault.rip = static_cast<u64>(machine.gregs[REG_RIP]);
        fault.flags = static_cast<u64>(machine.gregs[REG_EFL]);
        for (int i = 0; i < 16; ++i) fault.registers[i] = static_cast<u64>(machine.gregs[register_index[i]]);
        if (sink->on_host_fault(fault)) {
            machine.gregs[REG_RIP] = static_cast<greg_t>(fault.rip);
            machine.gregs[REG_EFL] = static_cast<greg_t>(fault.flags);
            for (int i = 0; i < 16; ++i) machine.gregs[register_index[i]] = static_cast<greg_t>(fault.registers[i]);
            return;
        }
    }
    hand_on(signal, info, context);
}

// Again whenever somebody else has put his own in their place.
void install_handlers() {
    struct sigaction action {};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < std::size(handled_signals); ++i) {
        struct sigaction now {};
        sigaction(handled_signals[i], nullptr, &now);
        if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_signal) continue;
        sigaction(handled_signals[i], &action, &previous_actions[i]);
    }
}

// The handlers' own stack: translated code runs with rsp at a return stack of a few pages.
class AlternateStack {
 public:
    AlternateStack() {
        u64 least = getauxval(AT_MINSIGSTKSZ);
        size_ = (std::max<u64>(least, 16 << 10) + spare_stack_bytes + page_offset_mask) & ~u64{page_offset_mask};
        memory_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory_ == MAP_FAILED) throw HostError("cannot map a stack for signal handlers");
    }
    ~AlternateStack() {
        stack_t stack{};
        sigaltstack(nullptr, &stack);
        stack.ss_flags = SS_DISABLE;
        if (stack.ss_sp == memory_) sigaltstack(&stack, nullptr);
        munmap(memory_, size_);
    }
    void use() const {
        stack_t stack{};
        sigaltstack(nullptr, &stack);
        if (stack.ss_sp == memory_) return;
        stack = {};
        stack.ss_sp = memory_;
        stack.ss_size = size_;
        sigaltstack(&stack, nullptr);
    }

 private:
    u64 size_;
    void* memory_;
};

}  // namespace

HostFaultScope::HostFaultScope(HostFaultSink& sink) : outer_{current_sink} {
    install_handlers();
    thread_local AlternateStack stack;
    stack.use();
    current_sink = &sink;
}

HostFaultScope::~HostFaultScope() { current_sink = outer_; }

}  // namespace vellum
