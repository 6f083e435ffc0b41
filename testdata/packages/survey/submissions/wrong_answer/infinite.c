#include <stdio.h>

int main(void) {
    puts("inf inf");
    return 0;
}
