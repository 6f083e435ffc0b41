#include <algorithm>
#include <cstdio>
#include <vector>

int main() {
    int count;
    if (std::scanf("%d", &count) != 1) return 1;
    std::vector<int> rungs(count), longest(count, 1);
    for (int& rung : rungs)
        if (std::scanf("%d", &rung) != 1) return 1;
    for (int top = 0; top < count; ++top)
        for (int below = 0; below < top; ++below)
            if (rungs[below] < rungs[top]) longest[top] = std::max(longest[top], longest[below] + 1);
    std::printf("%d\n", *std::max_element(longest.begin(), longest.end()));
}
