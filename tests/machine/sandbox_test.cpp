// What a locked-in process can and cannot do, each tried by a child of the test. Calls are made raw, as an intruder
// would.
#include "machine/sandbox.hpp"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <atomic>
#include <cerrno>
#include <functional>
#include <string>
#include <thread>

using namespace vellum;

namespace {

struct Ending {
    int status;  // of exit, or the signal's number with `killed`
    bool killed;
    std::string told;  // on standard error
};

// Runs `act` in a child, which ends with what it gives back.
Ending in_child(const std::function<int()>& act) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        _exit(act());
    }
    close(ends[1]);
    Ending ending{};
    char bytes[256];
    for (ssize_t n; (n = read(ends[0], bytes, sizeof bytes)) > 0;)
        ending.told.append(bytes, static_cast<std::size_t>(n));
    close(ends[0]);
    int raw = 0;
    waitpid(child, &raw, 0);
    ending.killed = WIFSIGNALED(raw);
    ending.status = ending.killed ? WTERMSIG(raw) : WEXITSTATUS(raw);
    return ending;
}

Ending locked_in(const std::function<int()>& act) {
    return in_child([&] {
        enter_sandbox();
        return act();
    });
}

// What errno a refused call leaves; 0 when it went through.
template <typename... Arguments>
int refusal(long number, Arguments... arguments) {
    return syscall(number, arguments...) < 0 ? errno : 0;
}

struct Call {
    const char* name;
    std::function<int()> act;
};

}  // namespace

TEST_CASE("sandbox: files cannot be opened, whatever the way", "[sandbox]") {
    const Call calls[] = {
        {"open", [] { return refusal(SYS_open, "/etc/passwd", O_RDONLY); }},
        {"openat", [] { return refusal(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY); }},
        {"openat2", [] { return refusal(SYS_openat2, AT_FDCWD, "/etc/passwd", nullptr, 0); }},
        {"creat", [] { return refusal(SYS_creat, "/tmp/vellum-sandbox-test", 0600); }},
        {"open_by_handle_at", [] { return refusal(SYS_open_by_handle_at, 0, nullptr, 0); }},
        {"unlink", [] { return refusal(SYS_unlink, "/tmp/vellum-sandbox-test"); }},
        {"rename", [] { return refusal(SYS_rename, "/tmp/vellum-sandbox-a", "/tmp/vellum-sandbox-b"); }},
        {"stat", [] { return refusal(SYS_newfstatat, AT_FDCWD, "/etc/passwd", nullptr, 0); }},
        {"chdir", [] { return refusal(SYS_chdir, "/"); }},
    };
    for (const Call& call : calls) {
        INFO(call.name);
        CHECK(in_child(call.act).status != EPERM);
        Ending ending = locked_in(call.act);
        CHECK_FALSE(ending.killed);
        CHECK(ending.status == EPERM);
    }
}

TEST_CASE("sandbox: no sockets, no processes, no signals to others", "[sandbox]") {
    const Call calls[] = {
        {"socket", [] { return refusal(SYS_socket, AF_UNIX, SOCK_STREAM, 0); }},
        {"connect", [] { return refusal(SYS_connect, 0, nullptr, 0); }},
        {"bind", [] { return refusal(SYS_bind, 0, nullptr, 0); }},
        {"kill", [] { return refusal(SYS_kill, getppid(), 0); }},
        {"tgkill", [] { return refusal(SYS_tgkill, getppid(), getppid(), 0); }},
        {"pidfd_open", [] { return refusal(SYS_pidfd_open, getppid(), 0); }},
        {"TIOCSTI", [] { return refusal(SYS_ioctl, 0, 0x5412, "x"); }},
    };
    for (const Call& call : calls) {
        INFO(call.name);
        CHECK(locked_in(call.act).status == EPERM);
    }
    CHECK(locked_in([] {
              pid_t child = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
              if (child == 0) _exit(0);
              return child < 0 ? errno : 0;
          }).status == EPERM);
    CHECK(locked_in([] { return refusal(SYS_clone3, nullptr, 0); }).status == ENOSYS);
}

TEST_CASE("sandbox: who starts a program or looks into a process is killed", "[sandbox]") {
    const Call calls[] = {
        {"execve", [] { return refusal(SYS_execve, "/bin/true", nullptr, nullptr); }},
        {"execveat", [] { return refusal(SYS_execveat, AT_FDCWD, "/bin/true", nullptr, nullptr, 0); }},
        {"ptrace", [] { return refusal(SYS_ptrace, 16, getppid(), 0, 0); }},
        {"process_vm_readv", [] { return refusal(SYS_process_vm_readv, getppid(), nullptr, 0, nullptr, 0, 0); }},
    };
    for (const Call& call : calls) {
        INFO(call.name);
        Ending ending = locked_in(call.act);
        CHECK(ending.killed);
        CHECK(ending.status == SIGSYS);
    }
}

TEST_CASE("sandbox: memory of a file does not become code, other memory may", "[sandbox]") {
    auto map = [](int flags, int file) {
        return mmap(nullptr, 4096, PROT_READ | PROT_EXEC, flags, file, 0) == MAP_FAILED ? errno : 0;
    };
    int file = memfd_create("sandbox test", MFD_CLOEXEC);
    REQUIRE(ftruncate(file, 4096) == 0);
    CHECK(in_child([&] { return map(MAP_SHARED, file); }).status == 0);
    CHECK(locked_in([&] { return map(MAP_SHARED, file); }).status == EPERM);
    CHECK(locked_in([&] { return map(MAP_PRIVATE, file); }).status == EPERM);
    CHECK(locked_in([&] { return map(MAP_PRIVATE | MAP_ANONYMOUS, -1); }).status == 0);
    close(file);
}

TEST_CASE("sandbox: threads that were there before are locked in too, and new ones can be made", "[sandbox]") {
    Ending ending = in_child([] {
        std::atomic<bool> locked = false;
        std::atomic<int> before = -1, after = -1;
        std::thread old{[&] {
            while (!locked) std::this_thread::yield();
            before = refusal(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
        }};
        enter_sandbox();
        locked = true;
        old.join();
        std::thread{[&] { after = refusal(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY); }}.join();
        return before == EPERM && after == EPERM ? 0 : 1;
    });
    CHECK(ending.status == 0);
}

TEST_CASE("sandbox: the first refusal is told, and how to do without", "[sandbox]") {
    Ending ending = locked_in([] {
        refusal(SYS_openat, AT_FDCWD, "/proc/sys/vm/overcommit_memory", O_RDONLY);  // malloc does: no word of it
        for (int i = 0; i < 3; ++i) refusal(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
        return 0;
    });
    CHECK(ending.told ==
          "vellum: the sandbox has refused system call 257; if something does not work now, run with --no-sandbox\n");
}

TEST_CASE("sandbox: files that were open before are read and written as ever", "[sandbox]") {
    int file = memfd_create("sandbox test", MFD_CLOEXEC);
    Ending ending = locked_in([&] {
        char byte = 0;
        struct stat status {};
        bool fine = pwrite(file, "x", 1, 0) == 1 && pread(file, &byte, 1, 0) == 1 && byte == 'x' &&
                    fstat(file, &status) == 0 && status.st_size == 1 && fdatasync(file) == 0;
        return fine ? 0 : 1;
    });
    CHECK(ending.status == 0);
    CHECK(ending.told.empty());
    close(file);
}
