// @EXPECTED_RESULTS@: MLE
#include <stddef.h>
#include <stdlib.h>

int main(void) {
    const size_t size = 1 << 20;
    for (;;) {
        volatile char *block = malloc(size);
        for (size_t place = 0; block && place < size; place += 4096) block[place] = 1;
    }
}
