/* System calls (getppid) through the vdso's entry, which is SYSENTER where the processor has it in 32-bit mode (an AMD
   processor under a 64-bit kernel uses SYSCALL instead). */
#include <elf.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#include "program.h"

static unsigned work(unsigned repeat) {
    unsigned long entry = getauxval(AT_SYSINFO);
    unsigned same = 0;
    int first = 0;
    if (entry == 0) exit(1);
    for (unsigned i = 0; i < repeat * 10000; ++i) {
        int result;
        __asm__ volatile("call *%2" : "=a"(result) : "a"(SYS_getppid), "r"(entry) : "memory", "cc");
        if (i == 0) first = result;
        same += result == first;
    }
    return same;
}
