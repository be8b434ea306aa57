/* As many processes as the argument says pass a word around in a ring; each keeps a few pages of its own in use. The
   number of turns is always the same: what grows is how many address spaces take part. */
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

enum { turns = 20000, page = 4096, pages = 8, most = 1000 };

static unsigned char own[pages * page];

/* Passes on what comes until it has made all turns. */
static void member(int from, int to) {
    unsigned word;
    while (read(from, &word, sizeof word) == sizeof word) {
        for (int i = 0; i < pages; ++i) own[i * page]++;
        if (++word > turns + most) break;
        if (write(to, &word, sizeof word) != sizeof word || word > turns) break;
    }
}

static unsigned work(unsigned count) {
    static int ring[most][2];
    if (count < 1 || count > most) exit(2);
    for (unsigned i = 0; i < count; ++i) must(pipe(ring[i]), "pipe");
    for (unsigned i = 1; i < count; ++i)
        if (must(fork(), "fork") == 0) {
            member(ring[i][0], ring[(i + 1) % count][1]);
            _exit(0);
        }
    unsigned word = 0;
    if (write(ring[1 % count][1], &word, sizeof word) != sizeof word) exit(1);
    member(ring[0][0], ring[1 % count][1]);
    for (unsigned i = 0; i < count; ++i) close(ring[i][1]), close(ring[i][0]);
    for (unsigned i = 1; i < count; ++i) must(wait(0), "wait");
    return turns;
}
