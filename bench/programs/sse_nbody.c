/* Five bodies under gravity with scalar SSE2 instructions. */
#include "nbody.h"
