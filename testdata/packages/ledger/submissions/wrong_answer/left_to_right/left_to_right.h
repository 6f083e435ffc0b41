#pragma once

inline long long value(const char*& text) {
    const long long modulus = 1'000'000'007;
    long long result = 0;
    char pending = '+';
    while (*text != '\0' && *text != ')') {
        if (*text == ' ') {
            ++text;
        } else if (*text == '+' || *text == '-' || *text == '*') {
            pending = *text++;
        } else {
            long long other = 0;
            if (*text == '(') {
                ++text;
                other = value(text);
                ++text;
            } else {
                while (*text >= '0' && *text <= '9') other = 10 * other + (*text++ - '0');
            }
            if (pending == '+') result = (result + other) % modulus;
            else if (pending == '-') result = (result + modulus - other) % modulus;
            else result = result * other % modulus;
        }
    }
    return result;
}
