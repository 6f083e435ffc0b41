// @EXPECTED_RESULTS@: MLE
// A matrix of all pairs: 3 GB.
#include <algorithm>
#include <cstdio>
#include <vector>

int main() {
    int count, roads;
    if (std::scanf("%d %d", &count, &roads) != 2) return 1;
    const long long far = 1'000'000'000'000'000'000;
    std::vector<std::vector<long long>> distance(count + 1, std::vector<long long>(count + 1, far));
    for (int place = 1; place <= count; ++place) distance[place][place] = 0;
    while (roads-- > 0) {
        int first, second;
        long long length;
        if (std::scanf("%d %d %lld", &first, &second, &length) != 3) return 1;
        distance[first][second] = distance[second][first] = std::min(distance[first][second], length);
    }
    for (int over = 1; over <= count; ++over)
        for (int from = 1; from <= count; ++from)
            for (int to = 1; to <= count; ++to)
                distance[from][to] = std::min(distance[from][to], distance[from][over] + distance[over][to]);
    std::printf("%lld\n", distance[1][count] == far ? -1 : distance[1][count]);
}
