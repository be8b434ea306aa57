/* Shared by the programs of this folder: each does its work as often as its argument says and prints a checksum, which
   must be the same on every processor. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned work(unsigned repeat);

/* A failed call of the system ends the program: its time would be that of something else. */
static inline int must(int result, const char* what) {
    if (result == -1) {
        perror(what);
        exit(1);
    }
    return result;
}

static inline unsigned next_random(unsigned* seed) { return *seed = *seed * 1664525u + 1013904223u; }

/* For programs that start themselves again. */
static char** arguments;

int main(int argc, char** argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s REPETITIONS\n", argv[0]);
        return 2;
    }
    arguments = argv;
    printf("%08x\n", work((unsigned)atoi(argv[1])));
    return 0;
}
