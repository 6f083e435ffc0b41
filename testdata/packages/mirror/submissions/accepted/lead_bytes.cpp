#include <algorithm>
#include <iostream>
#include <string>

int main() {
    int count;
    std::string line;
    std::cin >> count;
    std::getline(std::cin, line);
    while (count-- > 0) {
        std::getline(std::cin, line);
        std::reverse(line.begin(), line.end());
        // Each character's bytes are now backwards, its lead byte last: turn them round again.
        for (std::size_t begin = 0; begin < line.size();) {
            std::size_t end = begin;
            while ((static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) ++end;
            std::reverse(line.begin() + begin, line.begin() + end + 1);
            begin = end + 1;
        }
        std::cout << line << '\n';
    }
}
