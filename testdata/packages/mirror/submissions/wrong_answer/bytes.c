#include <stdio.h>
#include <string.h>

int main(void) {
    static char line[4096];
    if (!fgets(line, sizeof line, stdin)) return 1;
    while (fgets(line, sizeof line, stdin)) {
        size_t length = strcspn(line, "\n");
        while (length > 0) putchar(line[--length]);
        putchar('\n');
    }
    return 0;
}
