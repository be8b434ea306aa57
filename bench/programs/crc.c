/* Table-driven CRC-32 over 256 KiB. */
#include "program.h"

enum { size = 256 << 10 };
static unsigned char data[size];
static unsigned table[256];

static unsigned work(unsigned repeat) {
    unsigned sum = 0;
    for (unsigned i = 0; i < 256; ++i) {
        unsigned c = i;
        for (int k = 0; k < 8; ++k) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
        table[i] = c;
    }
    for (unsigned i = 0; i < size; ++i) data[i] = (unsigned char)(i * 7 + (i >> 8));
    for (unsigned round = 0; round < repeat; ++round) {
        unsigned crc = ~round;
        for (unsigned i = 0; i < size; ++i) crc = table[(crc ^ data[i]) & 0xFF] ^ (crc >> 8);
        sum += ~crc;
    }
    return sum;
}
