// Has no room for the last place.
#include <cstdio>
#include <utility>
#include <vector>

int main() {
    int count, roads;
    if (std::scanf("%d %d", &count, &roads) != 2) return 1;
    std::vector<std::vector<std::pair<int, int>>> neighbours(count);
    while (roads-- > 0) {
        int first, second, length;
        if (std::scanf("%d %d %d", &first, &second, &length) != 3) return 1;
        neighbours.at(first).emplace_back(second, length);
        neighbours.at(second).emplace_back(first, length);
    }
    std::puts("0");
}
