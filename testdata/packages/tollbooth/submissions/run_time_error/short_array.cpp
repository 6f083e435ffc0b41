#include <iostream>
#include <vector>

int main() {
    std::ios::sync_with_stdio(false);
    int count;
    std::cin >> count;
    std::vector<long long> tolls(500);
    long long sum = 0, largest = 0;
    for (int index = 0; index < count; ++index) {
        std::cin >> tolls.at(index);
        sum += tolls[index];
        if (tolls[index] > largest) largest = tolls[index];
    }
    std::cout << sum << ' ' << largest << '\n';
}
