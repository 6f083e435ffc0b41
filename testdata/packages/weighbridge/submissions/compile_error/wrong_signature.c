#include "weighbridge.h"

double heaviest(int count) { return count; }
