// All on one line, spaces instead of newlines, and none at the end.
#include <iostream>

int main() {
    long long count, time, step;
    std::cin >> count >> time >> step;
    for (long long index = 0; index < count; ++index) std::cout << (index ? " " : "") << time + index * step;
}
