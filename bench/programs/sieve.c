/* Sieve of Eratosthenes over 4 Mi bytes, forty-eight times. */
#include "measure.h"

enum { size = 4 << 20, rounds = 48 };
static unsigned char composite[size];

static void work(void) {
    for (int round = 0; round < rounds; ++round) {
        memset(composite, 0, size);
        unsigned count = 0;
        for (unsigned i = 2; i < size; ++i) {
            if (composite[i]) continue;
            ++count;
            for (unsigned j = i * 2; j < size; j += i) composite[j] = 1;
        }
        checksum += count;
    }
}
