/* Integer matrix product, 320 x 320, twenty-four times. */
#include "measure.h"

enum { n = 320, rounds = 24 };
static int a[n][n], b[n][n], c[n][n];

static void work(void) {
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j) a[i][j] = i ^ j, b[i][j] = i + 3 * j;
    for (int round = 0; round < rounds; ++round) {
        for (int i = 0; i < n; ++i)
            for (int j = 0; j < n; ++j) {
                int sum = 0;
                for (int k = 0; k < n; ++k) sum += a[i][k] * b[k][j];
                c[i][j] = sum;
            }
        a[round][round] += c[round][n - 1];
        checksum += (unsigned)c[round][round];
    }
}
