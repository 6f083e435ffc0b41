#include <stdio.h>

int main(void) {
    long long count, time, step;
    if (scanf("%lld %lld %lld", &count, &time, &step) != 3) return 1;
    for (long long index = 1; index <= count; ++index) printf("%lld\n", time + index * step);
    return 0;
}
