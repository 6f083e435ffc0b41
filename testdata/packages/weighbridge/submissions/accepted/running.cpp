#include "weighbridge.h"
#include <algorithm>

long heaviest(const std::vector<long>& weights) {
    long best = weights[0], ending = 0;
    for (long weight : weights) {
        ending = std::max(ending, 0L) + weight;
        best = std::max(best, ending);
    }
    return best;
}
