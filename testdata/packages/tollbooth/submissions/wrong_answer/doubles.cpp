// The sum does not fit the 53 bits of a double.
#include <algorithm>
#include <cstdio>

int main() {
    int count;
    if (std::scanf("%d", &count) != 1) return 1;
    float sum = 0;
    long long largest = 0;
    while (count-- > 0) {
        long long toll;
        if (std::scanf("%lld", &toll) != 1) return 1;
        sum += static_cast<float>(toll);
        largest = std::max(largest, toll);
    }
    std::printf("%.0f %lld\n", sum, largest);
}
