#include <algorithm>
#include <iostream>

int main() {
    std::ios::sync_with_stdio(false);
    std::cin.tie(nullptr);
    int count;
    std::cin >> count;
    long long sum = 0, largest = 0;
    while (count-- > 0) {
        long long toll;
        std::cin >> toll;
        sum += toll;
        largest = std::max(largest, toll);
    }
    std::cout << sum << ' ' << largest << '\n';
}
