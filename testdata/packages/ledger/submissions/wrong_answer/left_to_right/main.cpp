// Takes the operators from left to right, whatever they are.
#include <iostream>
#include <string>

#include "left_to_right.h"

int main() {
    int count;
    std::string line;
    std::cin >> count;
    std::getline(std::cin, line);
    while (count-- > 0) {
        std::getline(std::cin, line);
        const char* text = line.c_str();
        std::cout << value(text) << '\n';
    }
}
