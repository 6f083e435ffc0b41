// @EXPECTED_RESULTS@: MLE
// Eight bytes a position: 484 MiB.
#include <cstdint>
#include <iostream>
#include <vector>

int main() {
    std::uint64_t count, value, factor, step, base, checksum = 0;
    std::cin >> count >> value >> factor >> step >> base;
    std::vector<std::uint64_t> tape(count);
    for (auto& place : tape) {
        place = value;
        value = (value * factor + step) & 0xFFFFFFFF;
    }
    for (auto place = tape.rbegin(); place != tape.rend(); ++place)
        checksum = (checksum * base + *place) & 0xFFFFFFFF;
    std::cout << checksum << '\n';
}
