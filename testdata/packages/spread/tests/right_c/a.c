#include <stdio.h>

int main(void) {
    int count;
    long long least = 0, most = 0, number;
    if (scanf("%d", &count) != 1) return 1;
    for (int i = 0; i < count; i++) {
        if (scanf("%lld", &number) != 1) return 1;
        if (i == 0 || number < least) least = number;
        if (i == 0 || number > most) most = number;
    }
    printf("%lld\n", most - least);
}
