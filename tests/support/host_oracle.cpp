// Entering and leaving 32-bit code inside a 64-bit process, with signals as the way out.
#include "support/host_oracle.hpp"

#include <asm/ldt.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/host_error.hpp"

namespace vellum::test {

namespace {

// Lies at a fixed address below 4 GiB: code finds it without a register, and the signal handler without a variable.
struct Exchange {
    FxImage guest_fpu, host_fpu;
    u32 gpr[8];
    u64 eflags;
    u64 host_stack, resume;
    u32 entry;
    u16 entry_selector;  // follows `entry`: the far pointer
    u16 data_selector, stack_selector;
    u32 eip, cr2;
    u16 error_code;
    u8 vector;
};
constexpr u64 exchange_address = 0x20000000;
constexpr u64 host_code_selector = 0x33, host_stack_selector = 0x2B;
constexpr int caught[] = {SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGBUS};

Exchange& exchange() { return *reinterpret_cast<Exchange*>(exchange_address); }

// Notes the exception and goes on in 64-bit mode behind the far jump, all registers as the piece left them.
void leave(int signal_number, siginfo_t*, void* context) {
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~u64{eflags::ac});  // Linux leaves it as it is
    auto* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    auto selectors = static_cast<u64>(registers[REG_CSGSFS]);
    Exchange& x = exchange();
    if ((selectors & 0xFFFF) != x.entry_selector) {  // a fault of the test program itself
        signal(signal_number, SIG_DFL);
        return;
    }
    x.vector = static_cast<u8>(registers[REG_TRAPNO]);
    x.error_code = static_cast<u16>(registers[REG_ERR]);
    x.cr2 = static_cast<u32>(registers[REG_CR2]);
    x.eip = static_cast<u32>(registers[REG_RIP]);
    registers[REG_RIP] = static_cast<greg_t>(x.resume);
    constexpr u64 kept = 0x0000FFFFFFFF0000;  // FS and GS; CS is below, SS above
    registers[REG_CSGSFS] = static_cast<greg_t>((selectors & kept) | host_code_selector | host_stack_selector << 48);
}

// All addresses below are absolute, since every register belongs to the piece.
void far_jump() {
    asm volatile(
        "lea -128(%%rsp), %%rsp\n\t"
        "push %%rbp\n\t"
        "push %%rbx\n\t"
        "lea 1f(%%rip), %%rax\n\t"
        "mov %%rax, %c[resume]\n\t"
        "mov %%rsp, %c[host_stack]\n\t"
        "fxsave %c[host_fpu]\n\t"
        "fxrstor %c[guest_fpu]\n\t"
        "pushq %c[flags]\n\t"
        "popfq\n\t"
        "movzwl %c[data_selector], %%eax\n\t"
        "mov %%eax, %%ds\n\t"
        "mov %%eax, %%es\n\t"
        "movzwl %c[stack_selector], %%eax\n\t"
        "mov %%eax, %%ss\n\t"
        "mov %c[gpr] + 0, %%eax\n\t"
        "mov %c[gpr] + 4, %%ecx\n\t"
        "mov %c[gpr] + 8, %%edx\n\t"
        "mov %c[gpr] + 12, %%ebx\n\t"
        "mov %c[gpr] + 16, %%esp\n\t"
        "mov %c[gpr] + 20, %%ebp\n\t"
        "mov %c[gpr] + 24, %%esi\n\t"
        "mov %c[gpr] + 28, %%edi\n\t"
        "ljmpl *%c[entry]\n\t"
        "1:\n\t"
        "mov %%eax, %c[gpr] + 0\n\t"
        "mov %%ecx, %c[gpr] + 4\n\t"
        "mov %%edx, %c[gpr] + 8\n\t"
        "mov %%ebx, %c[gpr] + 12\n\t"
        "mov %%esp, %c[gpr] + 16\n\t"
        "mov %%ebp, %c[gpr] + 20\n\t"
        "mov %%esi, %c[gpr] + 24\n\t"
        "mov %%edi, %c[gpr] + 28\n\t"
        "mov %c[host_stack], %%rsp\n\t"
        "pushfq\n\t"
        "popq %c[flags]\n\t"
        "pushq $2\n\t"  // without DF and AC
        "popfq\n\t"
        "xor %%eax, %%eax\n\t"
        "mov %%eax, %%ds\n\t"
        "mov %%eax, %%es\n\t"
        "fxsave %c[guest_fpu]\n\t"
        "fxrstor %c[host_fpu]\n\t"
        "pop %%rbx\n\t"
        "pop %%rbp\n\t"
        "lea 128(%%rsp), %%rsp"
        :
        : [resume] "i"(exchange_address + offsetof(Exchange, resume)),
          [host_stack] "i"(exchange_address + offsetof(Exchange, host_stack)),
          [host_fpu] "i"(exchange_address + offsetof(Exchange, host_fpu)),
          [guest_fpu] "i"(exchange_address + offsetof(Exchange, guest_fpu)),
          [flags] "i"(exchange_address + offsetof(Exchange, eflags)),
          [gpr] "i"(exchange_address + offsetof(Exchange, gpr)),
          [entry] "i"(exchange_address + offsetof(Exchange, entry)),
          [data_selector] "i"(exchange_address + offsetof(Exchange, data_selector)),
          [stack_selector] "i"(exchange_address + offsetof(Exchange, stack_selector))
        : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
}

void map_at(u64 address, u64 bytes, int protection) {
    void* wanted = reinterpret_cast<void*>(address);
    if (mmap(wanted, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != wanted)
        throw HostError{"the pages of the hardware oracle are not free"};
}

// Entries of the local descriptor table; selectors with TI set and RPL 3.
enum Entry : u16 { Data, Code16, Stack16, Code32, Stack32 };
constexpr u16 local(Entry entry) { return static_cast<u16>(entry << 3 | 7); }

bool set_local_entry(Entry entry, const Segment& segment) {
    constexpr unsigned data = 0, code = 2;
    user_desc description{};
    description.entry_number = entry;
    description.base_addr = static_cast<unsigned>(segment.base);
    description.limit = segment.limit;
    description.seg_32bit = segment.big();
    description.contents = segment.is_code() ? code : data;
    description.useable = 1;
    return syscall(SYS_modify_ldt, 1, &description, sizeof description) == 0;
}

std::span<u8> bytes_at(u32 address, u32 bytes) { return {reinterpret_cast<u8*>(u64{address}), bytes}; }

}  // namespace

OracleSegments oracle_segments(OracleMode mode) {
    using L = OracleLayout;
    constexpr u16 code = 0xFB, data = 0xF3, big = 0x4000, pages = 0x8000;
    if (is_low(mode)) {
        auto segment = [&](u32 linear) {
            u16 rights = mode == OracleMode::V86 ? data : data & ~0x60;
            return Segment{static_cast<u16>(low_page(linear) >> 4), rights, 0xFFFF, low_page(linear)};
        };
        return {segment(L::code), segment(L::data), segment(L::stack)};
    }
    Segment flat_data{0x2B, data | big | pages, 0xFFFFFFFF, 0};
    bool wide = !has_narrow_code(mode);
    u16 size = wide ? big : 0;
    OracleSegments segments{
        {local(wide ? Code32 : Code16), static_cast<u16>(code | size), L::code_bytes - 1, L::code},
        {local(Data), data, L::data_bytes - 1, L::data},
        {local(wide ? Stack32 : Stack16), static_cast<u16>(data | size), L::stack_bytes - 1, L::stack}};
    if (has_flat_code(mode)) segments.code = {0x23, code | big | pages, 0xFFFFFFFF, 0};
    if (has_flat_data(mode)) segments.data = flat_data;
    if (has_flat_stack(mode)) segments.stack = flat_data;
    return segments;
}

std::array<u8, OracleLayout::read_only_bytes> read_only_content() {
    std::array<u8, OracleLayout::read_only_bytes> content;
    for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<u8>(i * 37 + (i >> 8));
    return content;
}

struct HostOracle::Saved {
    struct sigaction actions[std::size(caught)];
    stack_t stack;
    std::array<u8, 256 * 1024> signal_stack;
};

HostOracle::HostOracle() : saved_{new Saved} {
    // All pages of the piece can be executed, as the guest's can.
    map_at(OracleLayout::code, OracleLayout::code_bytes, PROT_READ | PROT_WRITE | PROT_EXEC);
    map_at(OracleLayout::data, OracleLayout::data_bytes, PROT_READ | PROT_WRITE | PROT_EXEC);
    map_at(OracleLayout::stack, OracleLayout::stack_bytes, PROT_READ | PROT_WRITE | PROT_EXEC);
    map_at(OracleLayout::read_only, OracleLayout::read_only_bytes, PROT_READ | PROT_WRITE);
    auto constant = bytes_at(OracleLayout::read_only, OracleLayout::read_only_bytes);
    std::ranges::copy(read_only_content(), constant.begin());
    mprotect(constant.data(), constant.size(), PROT_READ | PROT_EXEC);
    map_at(exchange_address, page_size, PROT_READ | PROT_WRITE);
    OracleSegments wide = oracle_segments(OracleMode::Segmented32), narrow = oracle_segments(OracleMode::Segmented16);
    has_local_table_ = set_local_entry(Data, wide.data) && set_local_entry(Code32, wide.code) &&
                       set_local_entry(Stack32, wide.stack) && set_local_entry(Code16, narrow.code) &&
                       set_local_entry(Stack16, narrow.stack);
    stack_t own{};
    own.ss_sp = saved_->signal_stack.data();
    own.ss_size = saved_->signal_stack.size();
    sigaltstack(&own, &saved_->stack);
    struct sigaction action {};
    action.sa_sigaction = leave;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    for (std::size_t i = 0; i < std::size(caught); ++i) sigaction(caught[i], &action, &saved_->actions[i]);
}

HostOracle::~HostOracle() {
    for (std::size_t i = 0; i < std::size(caught); ++i) sigaction(caught[i], &saved_->actions[i], nullptr);
    sigaltstack(&saved_->stack, nullptr);
    for (auto range : {code(), data(), stack(), bytes_at(OracleLayout::read_only, OracleLayout::read_only_bytes),
                       bytes_at(exchange_address, page_size)})
        munmap(range.data(), range.size());
    delete saved_;
}

std::span<u8> HostOracle::code() { return bytes_at(OracleLayout::code, OracleLayout::code_bytes); }
std::span<u8> HostOracle::data() { return bytes_at(OracleLayout::data, OracleLayout::data_bytes); }
std::span<u8> HostOracle::stack() { return bytes_at(OracleLayout::stack, OracleLayout::stack_bytes); }

OracleEnd HostOracle::run(OracleMode mode, OracleState& state) {
    Exchange& x = exchange();
    x.guest_fpu = state.fpu;
    std::copy(state.gpr.begin(), state.gpr.end(), x.gpr);
    x.eflags = state.eflags;
    x.entry = state.eip;
    OracleSegments segments = oracle_segments(mode);
    x.entry_selector = segments.code.selector;
    x.data_selector = segments.data.selector;
    x.stack_selector = segments.stack.selector;
    far_jump();
    std::copy(std::begin(x.gpr), std::end(x.gpr), state.gpr.begin());
    state.eflags = static_cast<u32>(x.eflags) & ~eflags::rf;
    state.eip = x.eip;
    state.fpu = x.guest_fpu;
    return {x.vector, x.error_code, x.cr2};
}

}  // namespace vellum::test
