#include "sums.h"

std::vector<long> sums(const std::vector<long>& terms) {
    std::vector<long> sums{0};
    for (long term : terms) sums.push_back(sums.back() + term);
    return sums;
}
