#include <algorithm>
#include <iostream>

int main() {
    int n;
    std::cin >> n;
    int best = 0, ending = 0;
    for (int leg = 0; leg < n; ++leg) {
        int gain;
        std::cin >> gain;
        ending = leg > 0 ? std::max(ending + gain, gain) : gain;
        best = leg > 0 ? std::max(best, ending) : ending;
    }
    std::cout << best << '\n';
}
