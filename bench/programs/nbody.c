/* Five bodies under gravity, 4.8 million steps on the x87 (compiled with -mfpmath=387). */
#include <math.h>

#include "measure.h"

enum { bodies = 5, steps = 4800000 };
struct body {
    double x, y, z, vx, vy, vz, mass;
};
static struct body system_[bodies] = {
    {0, 0, 0, 0, 0, 0, 39.47},
    {4.84, -1.16, -0.10, 0.606, 2.81, -0.02, 0.037},
    {8.34, 4.12, -0.40, -1.01, 1.82, 0.008, 0.011},
    {12.89, -15.11, -0.22, 1.08, 0.868, -0.010, 0.0017},
    {15.37, -25.9, 0.179, 0.979, 0.594, -0.034, 0.0020},
};

static void advance(double dt) {
    for (int i = 0; i < bodies; ++i)
        for (int j = i + 1; j < bodies; ++j) {
            double dx = system_[i].x - system_[j].x, dy = system_[i].y - system_[j].y, dz = system_[i].z - system_[j].z;
            double d2 = dx * dx + dy * dy + dz * dz, mag = dt / (d2 * sqrt(d2));
            system_[i].vx -= dx * system_[j].mass * mag;
            system_[i].vy -= dy * system_[j].mass * mag;
            system_[i].vz -= dz * system_[j].mass * mag;
            system_[j].vx += dx * system_[i].mass * mag;
            system_[j].vy += dy * system_[i].mass * mag;
            system_[j].vz += dz * system_[i].mass * mag;
        }
    for (int i = 0; i < bodies; ++i) {
        system_[i].x += dt * system_[i].vx;
        system_[i].y += dt * system_[i].vy;
        system_[i].z += dt * system_[i].vz;
    }
}

static void work(void) {
    for (int i = 0; i < steps; ++i) advance(0.001);
    double sum = system_[0].x + system_[1].y + system_[2].z;
    memcpy(&checksum, &sum, 4);
}
