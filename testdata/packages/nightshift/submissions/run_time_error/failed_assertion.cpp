#include <cassert>
#include <cstdio>

int main() {
    int count;
    if (std::scanf("%d", &count) != 1) return 1;
    assert(count < 0);
}
