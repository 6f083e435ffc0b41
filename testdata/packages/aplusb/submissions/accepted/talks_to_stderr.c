/* Standard error is not judged. */
#include <stdio.h>

int main(void) {
    long long first, second;
    if (scanf("%lld %lld", &first, &second) != 2) return 1;
    fprintf(stderr, "adding %lld and %lld\n", first, second);
    printf("%lld\n", first + second);
    return 0;
}
