#include <vector>

long heaviest(const std::vector<long>& weights);
