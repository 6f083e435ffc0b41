/* One space more than an engraver wants. */
#include <ctype.h>
#include <stdio.h>

int main(void) {
    char mode[16], line[256];
    int count;
    if (scanf("%15s %d ", mode, &count) != 2) return 1;
    while (count-- > 0 && fgets(line, sizeof line, stdin)) {
        int inside = 0;
        for (char *letter = line; *letter && *letter != '\n'; ++letter) {
            if (*letter == ' ') {
                if (inside) putchar(' ');
                inside = 0;
            } else {
                putchar(inside ? tolower((unsigned char)*letter) : toupper((unsigned char)*letter));
                inside = 1;
            }
        }
        puts(" ");
    }
    return 0;
}
