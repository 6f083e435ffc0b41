#include <iostream>
#include "weighbridge.h"

int main() {
    int count;
    std::cin >> count;
    std::vector<long> weights(count);
    for (long& weight : weights) std::cin >> weight;
    std::cout << heaviest(weights) << '\n';
}
