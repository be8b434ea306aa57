/* The Mandelbrot set, 64 x 64 points in 80-bit arithmetic. */
#include "program.h"

enum { size = 64, limit = 200 };

static unsigned work(unsigned repeat) {
    unsigned sum = 0;
    for (unsigned round = 0; round < repeat; ++round)
        for (int row = 0; row < size; ++row)
            for (int column = 0; column < size; ++column) {
                long double cx = column * 3.0L / size - 2.2L, cy = row * 2.4L / size - 1.2L, x = 0, y = 0;
                unsigned n = 0;
                for (; n < limit && x * x + y * y < 4; ++n) {
                    long double next = x * x - y * y + cx;
                    y = 2 * x * y + cy;
                    x = next;
                }
                sum = sum * 31 + n;
            }
    return sum;
}
