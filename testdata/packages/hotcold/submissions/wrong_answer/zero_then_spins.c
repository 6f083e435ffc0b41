/* The answer to the first guess is that it is wrong; what the program does then does not matter. */
#include <stdio.h>

int main(void) {
    puts("0");
    fflush(stdout);
    for (;;) {
    }
}
