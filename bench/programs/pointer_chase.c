/* Follows pointers in random order through 256 KiB: one load waits for the other. */
#include "program.h"

enum { nodes = 4096 };
static struct node {
    struct node* next;
    unsigned value[15];
} pool[nodes];

static unsigned work(unsigned repeat) {
    static unsigned order[nodes];
    unsigned seed = 7, sum = 0;
    for (unsigned i = 0; i < nodes; ++i) order[i] = i;
    for (unsigned i = nodes - 1; i > 0; --i) {
        unsigned j = next_random(&seed) % (i + 1), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (unsigned i = 0; i < nodes; ++i) {
        pool[order[i]].next = &pool[order[(i + 1) % nodes]];
        pool[order[i]].value[0] = i;
    }
    struct node* at = pool;
    for (unsigned i = 0; i < repeat * 100000; ++i) {
        sum += at->value[0];
        at = at->next;
    }
    return sum;
}
