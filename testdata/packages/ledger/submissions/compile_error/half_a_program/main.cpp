// The header is here, the source that defines its function is not.
#include <iostream>

#include "formula.h"

int main() { std::cout << value("1 + 2") << '\n'; }
