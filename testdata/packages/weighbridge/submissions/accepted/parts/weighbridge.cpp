#include "weighbridge.h"
#include "sums.h"

long heaviest(const std::vector<long>& weights) {
    std::vector<long> before = sums(weights);
    long best = before[1];
    for (std::size_t last = 1; last < before.size(); ++last)
        for (std::size_t first = 0; first < last; ++first)
            if (before[last] - before[first] > best) best = before[last] - before[first];
    return best;
}
