// The output is right and flushed; then the program dies of a signal.
#include <cstdlib>
#include <iostream>

int main() {
    long long first, second;
    std::cin >> first >> second;
    std::cout << first + second << std::endl;
    std::abort();
}
