#include <stdio.h>

int main(void) {
    int n, gain;
    if (scanf("%d %d", &n, &gain) != 2) return 1;
    printf("%d\n", gain);
    return 0;
}
