// A seccomp filter: tables of system calls, and a few lines of BPF made of them (seccomp(2); the kernel's
// Documentation/userspace-api/seccomp_filter.rst).
#include <asm/prctl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

#include "base/host_error.hpp"
#include "base/types.hpp"
#include "machine/sandbox.hpp"

namespace vellum {

namespace {

// Whatever their arguments are: nothing here opens, names or starts anything that was not open before.
constexpr u32 permitted[] = {
    // memory
    SYS_munmap,
    SYS_mprotect,
    SYS_madvise,
    SYS_mremap,
    SYS_brk,
    SYS_memfd_create,
    SYS_shmget,
    SYS_shmat,
    SYS_shmdt,
    SYS_shmctl,  // the X server is handed pictures in shared memory, anew for each size
    // signals and threads
    SYS_rt_sigreturn,
    SYS_futex,
    SYS_rt_sigprocmask,
    SYS_rt_sigaction,
    SYS_rt_sigtimedwait,
    SYS_sigaltstack,
    SYS_exit,
    SYS_exit_group,
    SYS_set_robust_list,
    SYS_rseq,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_gettid,
    SYS_getpid,
    SYS_getpgrp,
    SYS_restart_syscall,
    SYS_wait4,
    SYS_membarrier,
    SYS_getcpu,
    // open files and sockets
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_lseek,
    SYS_fsync,
    SYS_fdatasync,
    SYS_ftruncate,
    SYS_fstat,
    SYS_flock,
    SYS_close,
    SYS_dup,
    SYS_poll,
    SYS_ppoll,
    SYS_select,
    SYS_pselect6,
    SYS_epoll_wait,
    SYS_epoll_pwait,
    SYS_epoll_ctl,
    SYS_eventfd2,
    SYS_pipe2,
    SYS_accept,
    SYS_accept4,
    SYS_recvmsg,
    SYS_sendmsg,
    SYS_recvfrom,
    SYS_sendto,
    SYS_shutdown,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_getsockname,
    SYS_getpeername,
    // time and chance
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_timerfd_settime,
    SYS_gettimeofday,
    SYS_time,
    SYS_getrusage,
    SYS_times,
    SYS_getrandom,
    SYS_uname,
    SYS_sysinfo,
};

// Permitted when (argument & mask) == value. Several rows of one call are alternatives.
struct Condition {
    u32 call, argument, mask, value;
};
// As pthread_create makes threads; a process would have fewer of these.
constexpr u32 thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
                       CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
constexpr u32 whole = ~u32{0};
// ioctl numbers of graphics cards, for those who choose another renderer.
constexpr u32 type_of_ioctl = 0xFF00, drm_ioctl = 'd' << 8;

std::vector<Condition> conditions() {
    return {
        // No file becomes code.
        {SYS_mmap, 2, PROT_EXEC, 0},
        {SYS_mmap, 3, MAP_ANONYMOUS, MAP_ANONYMOUS},
        {SYS_clone, 0, whole, thread},
        {SYS_tgkill, 0, whole, static_cast<u32>(getpid())},
        {SYS_newfstatat, 3, whole, AT_EMPTY_PATH},  // how glibc does fstat
        {SYS_fcntl, 1, whole, F_GETFL},
        {SYS_fcntl, 1, whole, F_SETFL},
        {SYS_fcntl, 1, whole, F_GETFD},
        {SYS_fcntl, 1, whole, F_SETFD},
        {SYS_fcntl, 1, whole, F_DUPFD_CLOEXEC},
        {SYS_ioctl, 1, whole, TCGETS},
        {SYS_ioctl, 1, whole, TCSETS},
        {SYS_ioctl, 1, whole, TCSETSW},
        {SYS_ioctl, 1, whole, TCSETSF},
        {SYS_ioctl, 1, whole, TIOCGWINSZ},
        {SYS_ioctl, 1, whole, TIOCGPGRP},
        {SYS_ioctl, 1, whole, FIONREAD},
        {SYS_ioctl, 1, whole, FIONBIO},
        {SYS_ioctl, 1, type_of_ioctl, drm_ioctl},
        {SYS_prctl, 0, whole, PR_SET_NAME},
        {SYS_arch_prctl, 0, whole, ARCH_SET_GS},
    };
}

// Nothing of ours ever does these: whoever tries is an intruder.
constexpr u32 deadly[] = {SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev};

// glibc falls back to clone, whose flags can be looked at.
constexpr u32 unknown[] = {SYS_clone3};

class Filter {
 public:
    Filter() {
        load(offsetof(seccomp_data, arch));
        unless_equal(AUDIT_ARCH_X86_64, 1);
        jump_over(1);
        answer(SECCOMP_RET_KILL_PROCESS);
        load(offsetof(seccomp_data, nr));  // those of x32 have a high bit, and are in no table
    }
    void when(u32 call, u32 then) {
        unless_equal(call, 1);
        answer(then);
    }
    void when(const Condition& c, u32 then) {
        unless_equal(c.call, 5);
        load(static_cast<u32>(offsetof(seccomp_data, args) + c.argument * sizeof(u64)));
        code_.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, c.mask));
        unless_equal(c.value, 1);
        answer(then);
        load(offsetof(seccomp_data, nr));
    }
    void otherwise(u32 then) { answer(then); }
    sock_fprog program() { return {static_cast<unsigned short>(code_.size()), code_.data()}; }

 private:
    void load(u32 offset) { code_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)); }
    void unless_equal(u32 value, u8 over) { code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, over)); }
    void jump_over(u32 count) { code_.push_back(BPF_STMT(BPF_JMP | BPF_JA, count)); }
    void answer(u32 then) { code_.push_back(BPF_STMT(BPF_RET | BPF_K, then)); }

    std::vector<sock_filter> code_;
};

Filter make_filter() {
    Filter filter;
    for (const Condition& c : conditions()) filter.when(c, SECCOMP_RET_ALLOW);
    for (u32 call : permitted) filter.when(call, SECCOMP_RET_ALLOW);
    for (u32 call : unknown) filter.when(call, SECCOMP_RET_ERRNO | ENOSYS);
    for (u32 call : deadly) filter.when(call, SECCOMP_RET_KILL_PROCESS);
    filter.otherwise(SECCOMP_RET_TRAP);
    return filter;
}

// The process's, as signal handlers are.
std::atomic<bool> refusal_told = false;

// glibc's malloc asks these now and then, and does as well without an answer.
bool is_expected(int call, const greg_t* registers) {
    if (call != SYS_openat) return false;
    auto path = reinterpret_cast<const char*>(registers[REG_RSI]);
    for (const char* expected : {"/proc/sys/vm/overcommit_memory", "/sys/devices/system/cpu/online"})
        if (std::strcmp(path, expected) == 0) return true;
    return false;
}

// A refused call: the caller gets EPERM, and the first one is told. Only what a signal handler may do.
void on_refused(int, siginfo_t* info, void* context) {
    greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    registers[REG_RAX] = -EPERM;
    if (is_expected(info->si_syscall, registers) || refusal_told.exchange(true)) return;
    constexpr char start[] = "vellum: the sandbox has refused system call ";
    constexpr char end[] = "; if something does not work now, run with --no-sandbox\n";
    char line[160];
    std::size_t at = sizeof start - 1;
    std::memcpy(line, start, at);
    int call = info->si_syscall;
    for (int place = 1000; place > 0; place /= 10)
        if (call >= place || place == 1) line[at++] = static_cast<char>('0' + call / place % 10);
    std::memcpy(line + at, end, sizeof end - 1);
    [[maybe_unused]] auto written = write(STDERR_FILENO, line, at + sizeof end - 1);
}

void handle_refusals() {
    struct sigaction action {};
    action.sa_sigaction = on_refused;
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaction(SIGSYS, &action, nullptr);
}

}  // namespace

void enter_sandbox() {
    handle_refusals();
    Filter filter = make_filter();
    sock_fprog program = filter.program();
    // Without SPEC_ALLOW, kernels before 5.16 turn speculation past stores off for all that is run here.
    constexpr unsigned flags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0)
        return;
    throw UsageError(fmt::format("the host's kernel offers no system call filter ({}); run with --no-sandbox",
                                 std::strerror(errno)));
}

}  // namespace vellum
