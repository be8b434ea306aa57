/* Five bodies under gravity; the compiler's options choose the x87 or SSE. */
#include <math.h>

#include "program.h"

enum { bodies = 5 };
static struct body {
    double x, y, z, vx, vy, vz, mass;
} all[bodies] = {
    {0, 0, 0, 0, 0, 0, 39.47},
    {4.84, -1.16, -0.10, 0.606, 2.81, -0.02, 0.037},
    {8.34, 4.12, -0.40, -1.01, 1.82, 0.008, 0.011},
    {12.89, -15.11, -0.22, 1.08, 0.868, -0.010, 0.0017},
    {15.37, -25.9, 0.179, 0.979, 0.594, -0.034, 0.0020},
};

static void advance(double dt) {
    for (int i = 0; i < bodies; ++i)
        for (int j = i + 1; j < bodies; ++j) {
            double dx = all[i].x - all[j].x, dy = all[i].y - all[j].y, dz = all[i].z - all[j].z;
            double d2 = dx * dx + dy * dy + dz * dz, magnitude = dt / (d2 * sqrt(d2));
            all[i].vx -= dx * all[j].mass * magnitude;
            all[i].vy -= dy * all[j].mass * magnitude;
            all[i].vz -= dz * all[j].mass * magnitude;
            all[j].vx += dx * all[i].mass * magnitude;
            all[j].vy += dy * all[i].mass * magnitude;
            all[j].vz += dz * all[i].mass * magnitude;
        }
    for (int i = 0; i < bodies; ++i) {
        all[i].x += dt * all[i].vx;
        all[i].y += dt * all[i].vy;
        all[i].z += dt * all[i].vz;
    }
}

static unsigned work(unsigned repeat) {
    for (unsigned i = 0; i < repeat * 1000; ++i) advance(0.001);
    double sum = all[0].x + all[1].y + all[2].z;
    unsigned words[2];
    memcpy(words, &sum, sizeof words);
    return words[0] ^ words[1];
}
