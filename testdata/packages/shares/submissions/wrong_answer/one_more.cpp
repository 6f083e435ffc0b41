// The right answer, and a word after it.
#include <cstdio>

int main() {
    long long coins, heirs;
    if (std::scanf("%lld %lld", &coins, &heirs) != 2) return 1;
    long long rest = coins - heirs * (heirs - 1) / 2;
    if (rest < heirs) std::puts("impossible");
    else {
        for (long long share = 1; share < heirs; share++) std::printf("%lld ", share);
        std::printf("%lld\n", rest);
    }
    std::puts("done");
}
