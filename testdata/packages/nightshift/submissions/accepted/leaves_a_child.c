/* Answers, and leaves a child asleep behind: the run ends with its first process. */
#include <stdio.h>
#include <unistd.h>

int main(void) {
    int count;
    if (scanf("%d", &count) != 1) return 1;
    while (count-- > 0) {
        int begin_hour, begin_minute, end_hour, end_minute;
        if (scanf("%d:%d %d:%d", &begin_hour, &begin_minute, &end_hour, &end_minute) != 4) return 1;
        printf("%d\n", (1440 + 60 * (end_hour - begin_hour) + end_minute - begin_minute) % 1440);
    }
    fflush(stdout);
    if (fork() == 0) {
        fclose(stdout);
        sleep(1000);
        _exit(0);
    }
    return 0;
}
