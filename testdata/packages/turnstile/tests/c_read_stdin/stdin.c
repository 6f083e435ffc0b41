#include <stdio.h>

/* There is nothing on standard input. */
int main(void) {
    int count;
    if (scanf("%d", &count) == 1) return 1;
    fprintf(fopen("turnstile.out", "w"), "0\n");
}
