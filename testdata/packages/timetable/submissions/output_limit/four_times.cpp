// @EXPECTED_RESULTS@: OLE
// Right at first, but 40 MB where 10 are wanted.
#include <cstdio>

int main() {
    long long count, time, step;
    if (std::scanf("%lld %lld %lld", &count, &time, &step) != 3) return 1;
    int times = count == 800000 ? 4 : 1;
    while (times-- > 0)
        for (long long index = 0; index < count; ++index) std::printf("%lld\n", time + index * step);
}
