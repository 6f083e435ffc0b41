/* Answers as testlib's checkers do: 0 accepts, 1 is a wrong answer, 2 a wrong format, 3 gives up. */
#include "bounds.h"
#include <stdio.h>

int main(int count, char **arguments) {
    long number, first, second;
    char more;
    FILE *input = count > 2 ? fopen(arguments[1], "r") : NULL;
    FILE *output = count > 2 ? fopen(arguments[2], "r") : NULL;
    if (!input || !output || fscanf(input, "%ld", &number) != 1) {
        fprintf(stderr, "FAIL cannot read\n");
        return 3;
    }
    if (fscanf(output, "%ld %ld", &first, &second) != 2 || fscanf(output, " %c", &more) == 1) {
        fprintf(stderr, "wrong output format two numbers are expected\n");
        return 2;
    }
    if (first < 1 || second < 1 || first > LARGEST || second > LARGEST || first + second != number) {
        fprintf(stderr, "wrong answer %ld + %ld is not %ld\n", first, second, number);
        return 1;
    }
    fprintf(stderr, "ok %ld\n", number);
    return 0;
}
