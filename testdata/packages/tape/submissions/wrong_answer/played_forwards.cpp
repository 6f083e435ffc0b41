#include <cstdint>
#include <iostream>

int main() {
    std::uint32_t count, value, factor, step, base, checksum = 0;
    std::cin >> count >> value >> factor >> step >> base;
    while (count-- > 0) {
        checksum = checksum * base + value;
        value = value * factor + step;
    }
    std::cout << checksum << '\n';
}
