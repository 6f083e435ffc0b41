#include "weighbridge.h"

long heaviest(int count, const long *weights) {
    long best = weights[0], ending = weights[0];
    for (int car = 1; car < count; car++) {
        ending = (ending > 0 ? ending : 0) + weights[car];
        if (ending > best) best = ending;
    }
    return best;
}
