// Asks for more than any machine has, and does not catch the refusal.
#include <cstdint>
#include <iostream>
#include <vector>

int main() {
    std::uint64_t count;
    std::cin >> count;
    std::vector<std::uint64_t> tape;
    tape.reserve(count << 44);
    std::cout << tape.size() << '\n';
}
