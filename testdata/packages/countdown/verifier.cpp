#include <iostream>
#include <string>

#include "params.h"

int main() {
    std::string line, rest;
    if (!std::getline(std::cin, line) || std::getline(std::cin, rest) || line.empty() || line.size() > 6) return 1;
    for (char digit : line) {
        if (digit < '0' || digit > '9') return 1;
    }
    return line[0] == '0' || std::stoll(line) > N_MAX ? 1 : 0;
}
