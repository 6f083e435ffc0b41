/* Sails all legs: right only where the boat never loses, 20 points. */
#include <stdio.h>

int main(void) {
    int n, gain, sum = 0;
    if (scanf("%d", &n) != 1) return 1;
    while (n-- > 0 && scanf("%d", &gain) == 1) sum += gain;
    printf("%d\n", sum);
    return 0;
}
