/* System calls (getppid) by INT 80h. */
#include <sys/syscall.h>

#include "program.h"

static unsigned work(unsigned repeat) {
    unsigned same = 0;
    int first = 0;
    for (unsigned i = 0; i < repeat * 10000; ++i) {
        int result;
        __asm__ volatile("int $0x80" : "=a"(result) : "a"(SYS_getppid) : "memory");
        if (i == 0) first = result;
        same += result == first;
    }
    return same;
}
