#include <stdio.h>
#include <string.h>

int main(void) {
    int low = 1, high = 1000;
    char answer[8];
    do {
        int middle = (low + high) / 2;
        printf("%d\n", middle);
        fflush(stdout);
        if (scanf("%7s", answer) != 1)
            return 1;
        if (!strcmp(answer, "more"))
            low = middle + 1;
        else
            high = middle - 1;
    } while (strcmp(answer, "found"));
    fclose(stdout);
    for (;;) {
    }
}
