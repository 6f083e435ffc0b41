#include <stdio.h>

int main(void) {
    FILE *out = fopen("output.txt", "w");
    int count, height, last = 0, run = 0, best = 0, begin = 0;
    if (!out || scanf("%d", &count) != 1) return 1;
    for (int i = 1; i <= count && scanf("%d", &height) == 1; i++) {
        run = height == last ? run + 1 : 1;
        last = height;
        if (run > best) {
            best = run;
            begin = i - run + 1;
        }
    }
    fprintf(out, "%d \n%d\n\n", best, begin);
    fclose(out);
}
