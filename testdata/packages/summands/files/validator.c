/* Answers as testlib's validators do: 0 for a valid input, 3 for any other. */
#include "bounds.h"
#include <stdio.h>
#include <string.h>

int main(int count, char **arguments) {
    long number;
    char end;
    if (scanf("%ld%c", &number, &end) != 2 || end != '\n' || getchar() != EOF) {
        fprintf(stderr, "FAIL one number on one line is expected\n");
        return 3;
    }
    int is_small = 0;
    for (int place = 1; place + 1 < count; place++) {
        is_small |= !strcmp(arguments[place], "--group") && !strcmp(arguments[place + 1], "small");
    }
    if (number < SMALLEST || number > (is_small ? 10 : LARGEST)) {
        fprintf(stderr, "FAIL %ld is out of range\n", number);
        return 3;
    }
    return 0;
}
