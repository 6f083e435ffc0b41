#include <cstdio>
#include <cstdlib>

#include "../base.h"

int main(int, char **argv) {
    state = 77 + atoi(argv[1]);
    printf("%llu\n", 1 + next_number() % 1000);
}
