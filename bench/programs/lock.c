/* Counters, a spin lock, a list's head and a sequence number as code for several processors has them: LOCK, and XCHG
   with memory, which locks without being asked to. */
#include "program.h"

static unsigned counter, head, sequence, owner;

static inline void increment(unsigned* at) { __asm__ volatile("lock incl %0" : "+m"(*at) : : "cc"); }

static inline unsigned exchange(unsigned* at, unsigned value) {
    __asm__ volatile("xchgl %0, %1" : "+r"(value), "+m"(*at));
    return value;
}

static inline unsigned add_and_tell(unsigned* at, unsigned value) {
    __asm__ volatile("lock xaddl %0, %1" : "+r"(value), "+m"(*at) : : "cc");
    return value;
}

static inline int replaced(unsigned* at, unsigned expected, unsigned value) {
    unsigned char done;
    __asm__ volatile("lock cmpxchgl %3, %1\n\tsete %0" : "=q"(done), "+m"(*at), "+a"(expected) : "r"(value) : "cc");
    return done;
}

static unsigned work(unsigned repeat) {
    unsigned sum = 0;
    for (unsigned i = 0; i < repeat * 100000; ++i) {
        while (exchange(&owner, 1)) continue;
        increment(&counter);
        sum += add_and_tell(&sequence, i);
        if (!replaced(&head, i ? i - 1 : 0, i)) sum ^= i;
        exchange(&owner, 0);
    }
    return sum ^ counter ^ head ^ sequence;
}
