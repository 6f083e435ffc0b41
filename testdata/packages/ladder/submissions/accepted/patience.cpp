#include <algorithm>
#include <cstdio>
#include <vector>

int main() {
    int count;
    if (std::scanf("%d", &count) != 1) return 1;
    std::vector<int> ends;
    while (count-- > 0) {
        int rung;
        if (std::scanf("%d", &rung) != 1) return 1;
        auto place = std::lower_bound(ends.begin(), ends.end(), rung);
        if (place == ends.end()) ends.push_back(rung);
        else *place = rung;
    }
    std::printf("%zu\n", ends.size());
}
