#include <cstdio>

#include "../params.h"

int main() {
    int n;
    if (scanf("%d", &n) != 1 || n > N_MAX) return 1;
    while (n > 0) {
        printf("%d\n", n--);
        fflush(stdout);
    }
}
