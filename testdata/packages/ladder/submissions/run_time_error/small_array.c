#include <stdio.h>
#include <stdlib.h>

int main(void) {
    int count;
    if (scanf("%d", &count) != 1) return 1;
    if (count > 4) exit(42);
    puts("1");
    return 0;
}
