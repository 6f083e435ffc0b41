/* A straight line is highest at one of its ends. */
#include <stdio.h>

int main(void) {
    int a, b, c;
    if (scanf("%d %d %d", &a, &b, &c) != 3) return 1;
    if (b >= c) puts("0");
    else if (1000 * a + b >= c) puts("1e3");
    else puts("none");
}
