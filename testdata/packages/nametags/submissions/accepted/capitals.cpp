#include <cctype>
#include <iostream>
#include <sstream>
#include <string>

int main() {
    std::string mode, line;
    int count;
    std::cin >> mode >> count;
    std::getline(std::cin, line);
    while (count-- > 0) {
        std::getline(std::cin, line);
        std::istringstream parts(line);
        std::string part, separator;
        while (parts >> part) {
            for (char& letter : part) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
            part[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(part[0])));
            std::cout << separator << part;
            separator = " ";
        }
        std::cout << '\n';
    }
}
