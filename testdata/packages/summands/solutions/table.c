/* Right for small numbers only. */
#include <stdio.h>

int main(void) {
    int number;
    if (scanf("%d", &number) != 1 || number > 100) {
        return 1;
    }
    printf("1 %d\n", number - 1);
    return 0;
}
