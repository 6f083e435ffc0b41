// Sums of 32 bits: wrong from 2^31 on.
#include <cstdint>
#include <iostream>

int main() {
    std::uint32_t first, second;
    std::int64_t wide_first, wide_second;
    std::cin >> wide_first >> wide_second;
    first = static_cast<std::uint32_t>(wide_first);
    second = static_cast<std::uint32_t>(wide_second);
    std::cout << static_cast<std::int32_t>(first + second) << '\n';
}
