#include <stdio.h>
#include <string.h>

int main(void) {
    char answer[8];
    for (int guess = 1; guess <= 1000; guess++) {
        printf("%d\n", guess);
        fflush(stdout);
        /* After ten there is no answer any more. */
        if (scanf("%7s", answer) != 1)
            return 1;
        if (!strcmp(answer, "found"))
            return 0;
    }
    return 0;
}
