// Runs a command and prints, for each '<' ... '>' pair of bytes on its standard output, the wall seconds between them:
// the host's own clock on work done inside a guest whose debug console is that output.
// Usage: between_marks COMMAND [WORD...]
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>

extern char** environ;

namespace {
double now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}
}  // namespace

int main(int argc, char** argv) {
    int pipe_ends[2];
    if (argc < 2 || pipe(pipe_ends) != 0) return 2;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, pipe_ends[0]);
    posix_spawn_file_actions_addclose(&actions, pipe_ends[1]);
    pid_t child;
    if (posix_spawnp(&child, argv[1], &actions, nullptr, argv + 1, environ) != 0) {
        std::perror(argv[1]);
        return 2;
    }
    close(pipe_ends[1]);
    char bytes[256];
    double begin = 0;
    for (ssize_t n; (n = read(pipe_ends[0], bytes, sizeof bytes)) > 0;)
        for (ssize_t i = 0; i < n; ++i) {
            if (bytes[i] == '<') begin = now();
            if (bytes[i] == '>') std::printf("%.4f\n", now() - begin), std::fflush(stdout);
        }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
