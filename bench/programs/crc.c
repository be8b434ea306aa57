/* Table-driven CRC-32 over 1 MiB, 240 times. */
#include "measure.h"

enum { size = 1 << 20, rounds = 240 };
static unsigned char data[size];
static unsigned table[256];

static void work(void) {
    for (unsigned i = 0; i < 256; ++i) {
        unsigned c = i;
        for (int k = 0; k < 8; ++k) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
        table[i] = c;
    }
    for (unsigned i = 0; i < size; ++i) data[i] = (unsigned char)(i * 7 + (i >> 8));
    for (int round = 0; round < rounds; ++round) {
        unsigned crc = ~0u;
        for (unsigned i = 0; i < size; ++i) crc = table[(crc ^ data[i]) & 0xFF] ^ (crc >> 8);
        checksum += ~crc;
    }
}
