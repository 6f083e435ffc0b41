#include "formula.h"

static const long long modulus = 1000000007;

static void skip_spaces(const char **text) {
    while (**text == ' ') ++*text;
}

static long long atom(const char **text) {
    long long value = 0;
    skip_spaces(text);
    if (**text == '(') {
        ++*text;
        value = formula_sum(text);
        skip_spaces(text);
        ++*text;
        return value;
    }
    while (**text >= '0' && **text <= '9') value = 10 * value + (*(*text)++ - '0');
    return value % modulus;
}

static long long product(const char **text) {
    long long value = atom(text);
    for (skip_spaces(text); **text == '*'; skip_spaces(text)) {
        ++*text;
        value = value * atom(text) % modulus;
    }
    return value;
}

long long formula_sum(const char **text) {
    long long value = product(text);
    for (skip_spaces(text); **text == '+' || **text == '-'; skip_spaces(text)) {
        char operation = *(*text)++;
        long long other = product(text);
        value = (operation == '+' ? value + other : value + modulus - other) % modulus;
    }
    return value;
}
