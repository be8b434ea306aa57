/* Sieve of Eratosthenes over 1 Mi bytes. */
#include "program.h"

enum { size = 1 << 20 };
static unsigned char composite[size];

static unsigned work(unsigned repeat) {
    unsigned count = 0;
    for (unsigned round = 0; round < repeat; ++round) {
        memset(composite, 0, size);
        for (unsigned i = 2; i < size; ++i) {
            if (composite[i]) continue;
            ++count;
            for (unsigned j = i * 2; j < size; j += i) composite[j] = 1;
        }
    }
    return count;
}
