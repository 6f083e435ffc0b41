#include <cstdio>

int main() {
    int count;
    if (std::scanf("%d", &count) != 1) return 1;
    while (count-- > 0) {
        int begin_hour, begin_minute, end_hour, end_minute;
        if (std::scanf("%d:%d %d:%d", &begin_hour, &begin_minute, &end_hour, &end_minute) != 4) return 1;
        std::printf("%d\n", (1440 + 60 * (end_hour - begin_hour) + end_minute - begin_minute) % 1440);
    }
}
