#include <cstdio>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

int main() {
    int count, roads;
    if (std::scanf("%d %d", &count, &roads) != 2) return 1;
    std::vector<std::vector<std::pair<int, int>>> neighbours(count + 1);
    while (roads-- > 0) {
        int first, second, length;
        if (std::scanf("%d %d %d", &first, &second, &length) != 3) return 1;
        neighbours[first].emplace_back(second, length);
        neighbours[second].emplace_back(first, length);
    }
    std::vector<long long> distance(count + 1, -1);
    std::priority_queue<std::pair<long long, int>, std::vector<std::pair<long long, int>>, std::greater<>> queue;
    queue.emplace(0, 1);
    while (!queue.empty()) {
        auto [reached, place] = queue.top();
        queue.pop();
        if (distance[place] >= 0) continue;
        distance[place] = reached;
        for (auto [other, length] : neighbours[place])
            if (distance[other] < 0) queue.emplace(reached + length, other);
    }
    std::printf("%lld\n", distance[count]);
}
