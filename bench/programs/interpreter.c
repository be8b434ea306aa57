/* An interpreter of a small stack language: one indirect jump for each of its instructions. */
#include "program.h"

enum code { push, add, subtract, multiply, duplicate, swap, drop, load, store, jump_if, halt, exclusive_or };

/* Variables: 0 counts down, 1 and 2 take turns as a sum. */
static const unsigned char text[] = {
    load, 1, load, 0, duplicate, multiply, add, store, 1,            /* v1 += v0 * v0 */
    load, 2, load, 1, exclusive_or, push, 3, multiply, store, 2,     /* v2 = (v2 ^ v1) * 3 */
    load, 1, load, 2, swap, subtract, duplicate, store, 1, drop,     /* v1 = v2 - v1 */
    load, 0, push, 1, subtract, duplicate, store, 0, jump_if, 0,     /* until --v0 == 0 */
    halt};

static unsigned interpret(unsigned* v) {
    unsigned stack[16], *top = stack, t;
    const unsigned char* at = text;
    for (;;) switch (*at++) {
            case push: *++top = *at++; break;
            case add: --top, *top += top[1]; break;
            case subtract: --top, *top -= top[1]; break;
            case multiply: --top, *top *= top[1]; break;
            case exclusive_or: --top, *top ^= top[1]; break;
            case duplicate: ++top, *top = top[-1]; break;
            case swap: t = *top, *top = top[-1], top[-1] = t; break;
            case drop: --top; break;
            case load: *++top = v[*at++]; break;
            case store: v[*at++] = *top--; break;
            case jump_if: at = *top-- ? text + *at : at + 1; break;
            case halt: return v[1] ^ v[2];
            default: abort();
        }
}

static unsigned work(unsigned repeat) {
    unsigned variables[3] = {repeat * 10000, 1, 2};
    return interpret(variables);
}
