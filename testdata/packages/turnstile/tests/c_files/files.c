#include <stdio.h>

int main(void) {
    FILE *in = fopen("turnstile.in", "r"), *out = fopen("turnstile.out", "w");
    int count;
    long long inside = 0, change;
    if (!in || !out || fscanf(in, "%d", &count) != 1) return 1;
    while (count-- && fscanf(in, "%lld", &change) == 1) inside += change;
    fprintf(out, "%lld\n", inside);
}
