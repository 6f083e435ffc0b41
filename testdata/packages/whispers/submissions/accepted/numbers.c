#include <stdio.h>
#include <string.h>

int main(void) {
    char what[8], text[256];
    if (scanf("%7s %255s", what, text) != 2)
        return 1;
    if (!strcmp(what, "tell"))
        for (char *letter = text; *letter; letter++)
            printf("%02d", *letter - 'a');
    else
        for (char *pair = text; *pair; pair += 2)
            putchar('a' + 10 * (pair[0] - '0') + pair[1] - '0');
    puts("");
    return 0;
}
