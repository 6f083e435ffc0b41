#include <cstdio>
#include <vector>

static std::vector<std::vector<int>> children;
static long long total;
static int generations;

static int visit(int person, int generation) {
    int size = 1;
    if (generation > generations) generations = generation;
    for (int child : children[person]) size += visit(child, generation + 1);
    total = (total + static_cast<long long>(size) * person) % 1'000'000'007;
    return size;
}

int main() {
    int count, root = 0;
    if (std::scanf("%d", &count) != 1) return 1;
    children.resize(count + 1);
    for (int person = 1; person <= count; ++person) {
        int parent;
        if (std::scanf("%d", &parent) != 1) return 1;
        if (parent == 0) root = person;
        else children[parent].push_back(person);
    }
    visit(root, 1);
    std::printf("%d %lld\n", generations, total);
}
