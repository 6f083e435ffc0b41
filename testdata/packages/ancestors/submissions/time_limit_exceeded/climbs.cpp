// Quadratic on a path: every person climbs to the first ancestor.
#include <cstdio>
#include <vector>

int main() {
    int count;
    if (std::scanf("%d", &count) != 1) return 1;
    std::vector<int> parent(count + 1), size(count + 1, 0);
    for (int person = 1; person <= count; ++person)
        if (std::scanf("%d", &parent[person]) != 1) return 1;
    int generations = 0;
    for (int person = 1; person <= count; ++person) {
        int generation = 0;
        for (int ancestor = person; ancestor != 0; ancestor = parent[ancestor]) {
            ++generation;
            ++size[ancestor];
        }
        if (generation > generations) generations = generation;
    }
    long long total = 0;
    for (int person = 1; person <= count; ++person)
        total = (total + static_cast<long long>(size[person]) * person) % 1'000'000'007;
    std::printf("%d %lld\n", generations, total);
}
