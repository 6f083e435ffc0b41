#include <stdio.h>

#include "formula.h"

int main(void) {
    static char line[8192];
    if (!fgets(line, sizeof line, stdin)) return 1;
    while (fgets(line, sizeof line, stdin)) {
        const char *text = line;
        printf("%lld\n", formula_sum(&text));
    }
    return 0;
}
