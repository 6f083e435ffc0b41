#include <stdio.h>

int main(void) {
    static unsigned ways[10001];
    int target, kinds;
    if (scanf("%d %d", &target, &kinds) != 2) return 1;
    ways[0] = 1;
    while (kinds-- > 0) {
        int coin;
        if (scanf("%d", &coin) != 1) return 1;
        for (int amount = coin; amount <= target; ++amount)
            ways[amount] = (ways[amount] + ways[amount - coin]) % 1000000007;
    }
    printf("%u\n", ways[target]);
    return 0;
}
