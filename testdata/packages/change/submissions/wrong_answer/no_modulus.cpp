#include <iostream>
#include <vector>

int main() {
    int target, kinds;
    std::cin >> target >> kinds;
    std::vector<unsigned long long> ways(target + 1);
    ways[0] = 1;
    while (kinds-- > 0) {
        int coin;
        std::cin >> coin;
        for (int amount = coin; amount <= target; ++amount) ways[amount] += ways[amount - coin];
    }
    std::cout << ways[target] << '\n';
}
