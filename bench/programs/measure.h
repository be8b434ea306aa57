/* Shared by the programs of this folder: do the work once and tell when it began and ended.
   Inside a guest the host takes the time between two bytes at port E9h (a guest's clock is no evidence); natively, and
   with -n, CLOCK_MONOTONIC does and the seconds are printed. */
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <time.h>

static unsigned checksum;
static void work(void);

int main(int argc, char** argv) {
    int native = argc > 1 && strcmp(argv[1], "-n") == 0;
    struct timespec begin, end;
    if (!native && iopl(3) != 0) {
        perror("iopl");
        return 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &begin);
    if (!native) outb('<', 0xE9);
    work();
    if (!native) outb('>', 0xE9);
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) * 1e-9;
    printf("%08x %.4f\n", checksum, seconds);
    return 0;
}
