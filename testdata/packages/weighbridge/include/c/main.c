#include <stdio.h>
#include "weighbridge.h"

static long weights[1000];

int main(void) {
    int count;
    if (scanf("%d", &count) != 1) return 1;
    for (int car = 0; car < count; car++)
        if (scanf("%ld", &weights[car]) != 1) return 1;
    printf("%ld\n", heaviest(count, weights));
}
