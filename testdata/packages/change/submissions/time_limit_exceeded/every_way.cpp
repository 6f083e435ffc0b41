// Counts the ways one by one.
#include <algorithm>
#include <cstddef>
#include <iostream>
#include <vector>

static std::vector<int> coins;

static unsigned long long ways(int target, std::size_t kinds) {
    if (target == 0) return 1;
    if (kinds == 0) return 0;
    unsigned long long total = 0;
    for (int rest = target; rest >= 0; rest -= coins[kinds - 1]) total += ways(rest, kinds - 1);
    return total;
}

int main() {
    int target, kinds;
    std::cin >> target >> kinds;
    coins.resize(kinds);
    for (int& coin : coins) std::cin >> coin;
    std::cout << ways(target, coins.size()) % 1'000'000'007 << '\n';
}
