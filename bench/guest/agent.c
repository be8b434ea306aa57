/* Runs commands, in the guest and natively alike. Each line of standard input is one command:
     here WORD...          run it from the base folder
     in FOLDER WORD...     the same with that folder (below the base) as root, working in its /tmp
   A mark goes out before and after each command, a line for the harness, which takes the time with its own clock:
     @ready
     @begin
     @end STATUS CHECKSUM NANOSECONDS
   CHECKSUM is of the command's standard output. NANOSECONDS is CPU time as this kernel counts it, which is used natively
   and ignored in a guest. Between marks and work there is a pause, so that it does not matter when exactly the harness,
   on a host with other work, looks at its clock.
   Usage: agent port|stdout BASE. With "port", marks are written to port E9h. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { debug_port = 0xE9, most_words = 64, failed_to_start = 126 };
static const struct timespec pause_at_mark = {0, 20 * 1000 * 1000};

static int marks_go_to_port;

static void mark(const char* text) {
    if (marks_go_to_port)
        for (; *text; ++text) outb((unsigned char)*text, debug_port);
    else if (write(STDOUT_FILENO, text, strlen(text)) < 0)
        exit(1);
}

static long long cpu_nanoseconds(void) {
    struct rusage used;
    struct timespec own;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    getrusage(RUSAGE_CHILDREN, &used);
    return own.tv_sec * 1000000000LL + own.tv_nsec +
           1000LL * (used.ru_utime.tv_usec + used.ru_stime.tv_usec + 1000000LL * (used.ru_utime.tv_sec + used.ru_stime.tv_sec));
}

/* In the child. A user who is not root may change the root folder in a user namespace of its own. */
static void start(char** words) {
    static char* environment[] = {"PATH=/usr/bin:/bin", "HOME=/", "LC_ALL=C", "PYTHONHASHSEED=0", "PERL_HASH_SEED=0", 0};
    if (strcmp(words[0], "in") == 0 && words[1]) {
        if (chroot(words[1]) != 0 && (unshare(CLONE_NEWUSER) != 0 || chroot(words[1]) != 0)) perror(words[1]), _exit(failed_to_start);
        if (chdir("/tmp") != 0) perror("/tmp"), _exit(failed_to_start);
        ++words;
    }
    ++words;
    execve(words[0], words, environment);
    perror(words[0]);
    _exit(failed_to_start);
}

/* Runs a command to its end; returns its status and the FNV-1a checksum of its output. */
static int run(char** words, unsigned* checksum) {
    int output[2], status = -1;
    unsigned char bytes[65536];
    *checksum = 2166136261u;
    if (pipe2(output, O_CLOEXEC) != 0) return -1;
    pid_t child = fork();
    if (child == 0) {
        dup2(output[1], STDOUT_FILENO);
        start(words);
    }
    close(output[1]);
    for (ssize_t n; (n = read(output[0], bytes, sizeof bytes)) > 0;)
        for (ssize_t i = 0; i < n; ++i) *checksum = (*checksum ^ bytes[i]) * 16777619u;
    close(output[0]);
    waitpid(child, &status, 0);
    return status;
}

int main(int argc, char** argv) {
    static char line[4096];
    if (argc != 3 || chdir(argv[2]) != 0) return 2;
    marks_go_to_port = strcmp(argv[1], "port") == 0;
    if (marks_go_to_port && iopl(3) != 0) {
        perror("iopl");
        return 1;
    }
    mark("@ready\n");
    while (fgets(line, sizeof line, stdin)) {
        char* words[most_words + 1] = {0};
        int count = 0;
        for (char* word = strtok(line, " \r\n"); word && count < most_words; word = strtok(0, " \r\n")) words[count++] = word;
        if (count < 2) continue;
        unsigned checksum;
        char text[100];
        nanosleep(&pause_at_mark, 0);
        mark("@begin\n");
        nanosleep(&pause_at_mark, 0);
        long long before = cpu_nanoseconds();
        int status = run(words, &checksum);
        snprintf(text, sizeof text, "@end %d %08x %lld\n", status, checksum, cpu_nanoseconds() - before);
        mark(text);
        nanosleep(&pause_at_mark, 0);
    }
    return 0;
}
