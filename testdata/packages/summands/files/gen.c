#include <stdio.h>

int main(int count, char **arguments) {
    if (count < 2) {
        return 1;
    }
    printf("%s\n", arguments[1]);
    return 0;
}
