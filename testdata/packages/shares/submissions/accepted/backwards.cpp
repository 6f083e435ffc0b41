// The largest share first, all on one line.
#include <cstdio>

int main() {
    long long coins, heirs;
    if (std::scanf("%lld %lld", &coins, &heirs) != 2) return 1;
    long long rest = coins - heirs * (heirs - 1) / 2;
    if (rest < heirs) {
        std::puts("impossible");
        return 0;
    }
    std::printf("%lld", rest);
    for (long long share = heirs - 1; share > 0; share--) std::printf(" %lld", share);
    std::puts("");
}
