// Quadratic: sorts all tolls to find the largest.
#include <cstddef>
#include <iostream>
#include <utility>
#include <vector>

int main() {
    std::ios::sync_with_stdio(false);
    std::size_t count;
    std::cin >> count;
    std::vector<long long> tolls(count);
    long long sum = 0;
    for (auto& toll : tolls) {
        std::cin >> toll;
        sum += toll;
    }
    for (std::size_t end = count; end > 1; --end)
        for (std::size_t index = 1; index < end; ++index)
            if (tolls[index] < tolls[index - 1]) std::swap(tolls[index], tolls[index - 1]);
    std::cout << sum << ' ' << tolls.back() << '\n';
}
