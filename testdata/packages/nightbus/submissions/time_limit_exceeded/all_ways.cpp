// Tries every way that visits no place twice.
#include <cstdio>
#include <utility>
#include <vector>

static int count;
static std::vector<std::vector<std::pair<int, int>>> neighbours;
static std::vector<char> visited;
static long long best = -1;

static void walk(int place, long long length) {
    if (place == count) {
        if (best < 0 || length < best) best = length;
        return;
    }
    visited[place] = 1;
    for (auto [other, road] : neighbours[place])
        if (!visited[other]) walk(other, length + road);
    visited[place] = 0;
}

int main() {
    int roads;
    if (std::scanf("%d %d", &count, &roads) != 2) return 1;
    neighbours.resize(count + 1);
    visited.resize(count + 1);
    while (roads-- > 0) {
        int first, second, length;
        if (std::scanf("%d %d %d", &first, &second, &length) != 3) return 1;
        neighbours[first].emplace_back(second, length);
        neighbours[second].emplace_back(first, length);
    }
    walk(1, 0);
    std::printf("%lld\n", best);
}
