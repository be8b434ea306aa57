/* For programs that write code: pages that may be written and executed. */
#include <sys/mman.h>

#include "program.h"

static inline unsigned char* code_pages(unsigned size) {
    void* memory = mmap(0, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) exit(1);
    return memory;
}

static inline unsigned char* put(unsigned char* at, const char* bytes, unsigned count) {
    memcpy(at, bytes, count);
    return at + count;
}

static inline unsigned char* put_word(unsigned char* at, unsigned word) {
    memcpy(at, &word, sizeof word);
    return at + sizeof word;
}

typedef unsigned (*function)(unsigned);
