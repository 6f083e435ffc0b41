#include "formula.h"

#include <cctype>
#include <utility>

static const long long modulus = 1'000'000'007;

Formula::Formula(std::string text) : text(std::move(text)) {}

long long Formula::value() { return sum(); }

void Formula::skip_spaces() {
    while (position < text.size() && std::isspace(static_cast<unsigned char>(text[position]))) ++position;
}

long long Formula::sum() {
    long long value = product();
    for (skip_spaces(); position < text.size() && (text[position] == '+' || text[position] == '-'); skip_spaces()) {
        if (text[position++] == '+') value = (value + product()) % modulus;
        else value = (value + modulus - product()) % modulus;
    }
    return value;
}

long long Formula::product() {
    long long value = atom();
    for (skip_spaces(); position < text.size() && text[position] == '*'; skip_spaces()) {
        ++position;
        value = value * atom() % modulus;
    }
    return value;
}

long long Formula::atom() {
    skip_spaces();
    if (text[position] == '(') {
        ++position;
        long long value = sum();
        skip_spaces();
        ++position;
        return value;
    }
    long long value = 0;
    while (position < text.size() && std::isdigit(static_cast<unsigned char>(text[position])))
        value = 10 * value + (text[position++] - '0');
    return value % modulus;
}
