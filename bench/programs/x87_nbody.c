/* Five bodies under gravity on the x87. */
#include "nbody.h"
