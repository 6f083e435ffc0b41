#include <cstdint>
#include <iostream>
#include <vector>

int main() {
    std::uint32_t count, value, factor, step, base, checksum = 0;
    std::cin >> count >> value >> factor >> step >> base;
    std::vector<std::uint32_t> tape(count);
    for (auto& place : tape) {
        place = value;
        value = value * factor + step;
    }
    for (auto place = tape.rbegin(); place != tape.rend(); ++place) checksum = checksum * base + *place;
    std::cout << checksum << '\n';
}
