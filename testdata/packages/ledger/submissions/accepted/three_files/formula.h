#pragma once

#include <cstddef>
#include <string>

class Formula {
public:
    explicit Formula(std::string text);
    long long value();

private:
    long long sum();
    long long product();
    long long atom();
    void skip_spaces();

    std::string text;
    std::size_t position = 0;
};
