#pragma once
#include <vector>

std::vector<long> sums(const std::vector<long>& terms);
