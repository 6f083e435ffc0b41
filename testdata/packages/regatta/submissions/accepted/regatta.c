#include <stdio.h>

int main(void) {
    int n, gain;
    if (scanf("%d %d", &n, &gain) != 2) return 1;
    int ending = gain, best = gain;
    while (--n > 0 && scanf("%d", &gain) == 1) {
        ending = ending > 0 ? ending + gain : gain;
        if (ending > best) best = ending;
    }
    printf("%d\n", best);
    return 0;
}
