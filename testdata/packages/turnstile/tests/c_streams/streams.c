#include <stdio.h>

/* Writes where nobody looks. */
int main(void) {
    FILE *in = fopen("turnstile.in", "r");
    int count;
    long long inside = 0, change;
    if (!in || fscanf(in, "%d", &count) != 1) return 1;
    while (count-- && fscanf(in, "%lld", &change) == 1) inside += change;
    printf("%lld\n", inside);
}
