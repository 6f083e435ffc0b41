#include <iostream>
#include <string>

#include "formula.h"

int main() {
    int count;
    std::string line;
    std::cin >> count;
    std::getline(std::cin, line);
    while (count-- > 0) {
        std::getline(std::cin, line);
        std::cout << Formula(line).value() << '\n';
    }
}
