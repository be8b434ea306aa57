/* A process that sends itself signals and handles them. */
#include <signal.h>
#include <unistd.h>

#include "program.h"

static volatile unsigned handled;
static void handle(int number) { handled += (unsigned)number; }

static unsigned work(unsigned repeat) {
    struct sigaction action = {.sa_handler = handle};
    must(sigaction(SIGUSR1, &action, 0), "sigaction");
    for (unsigned i = 0; i < repeat * 1000; ++i) must(kill(getpid(), SIGUSR1), "kill");
    return handled;
}
