/* Two processes hand one byte back and forth through two pipes. */
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

static unsigned work(unsigned repeat) {
    int there[2], back[2];
    unsigned char byte = 1;
    unsigned sum = 0, rounds = repeat * 1000;
    must(pipe(there), "pipe");
    must(pipe(back), "pipe");
    if (must(fork(), "fork") == 0) {
        for (unsigned i = 0; i < rounds; ++i) {
            if (read(there[0], &byte, 1) != 1) _exit(1);
            byte = (unsigned char)(byte * 5 + 1);
            if (write(back[1], &byte, 1) != 1) _exit(1);
        }
        _exit(0);
    }
    for (unsigned i = 0; i < rounds; ++i) {
        if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1) exit(1);
        sum = sum * 31 + byte;
    }
    wait(0);
    return sum;
}
