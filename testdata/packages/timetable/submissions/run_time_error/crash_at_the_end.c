// Every line is right and written; then the program crashes.
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    long long count, time, step;
    if (scanf("%lld %lld %lld", &count, &time, &step) != 3) return 1;
    for (; count > 0; --count, time += step) printf("%lld\n", time);
    fflush(stdout);
    abort();
}
