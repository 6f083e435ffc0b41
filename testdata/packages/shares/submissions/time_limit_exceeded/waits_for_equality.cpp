// Takes coins one by one.
#include <cstdio>

int main() {
    long long coins, heirs;
    if (std::scanf("%lld %lld", &coins, &heirs) != 2) return 1;
    volatile long long rest = coins;
    for (long long share = 1; share < heirs; share++) rest = rest - share;
    volatile long long counted = 0;
    while (counted < rest) counted = counted + 1;
    if (counted < heirs) std::puts("impossible");
    else {
        for (long long share = 1; share < heirs; share++) std::printf("%lld ", share);
        std::printf("%lld\n", (long long)counted);
    }
}
