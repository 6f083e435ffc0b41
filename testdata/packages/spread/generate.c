#include <stdio.h>
#include <stdlib.h>

/* The input goes to standard output, the answer to standard error. */
int main(int argc, char **argv) {
    if (argc != 3) return 1;
    int count = atoi(argv[1]);
    unsigned long long state = strtoull(argv[2], NULL, 10);
    long long least = 0, most = 0;
    printf("%d\n", count);
    for (int i = 0; i < count; i++) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        long long number = (long long)(state >> 5) - (1LL << 58);
        printf("%lld%c", number, i + 1 < count ? ' ' : '\n');
        if (i == 0 || number < least) least = number;
        if (i == 0 || number > most) most = number;
    }
    fprintf(stderr, "%lld\n", most - least);
}
