#pragma once

#include "params.h"

/* Numbers that look random and are the same everywhere. */
static unsigned long long state;

static unsigned long long next_number(void) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return state >> 33;
}
