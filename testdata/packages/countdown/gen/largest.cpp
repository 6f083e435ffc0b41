#include <cstdio>

#include "../params.h"

int main() { printf("%lld\n", N_MAX); }
