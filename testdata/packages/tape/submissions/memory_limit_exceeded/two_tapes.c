// @EXPECTED_RESULTS@: MLE
// One tape fits, its mirror image beside it does not.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    uint32_t count, value, factor, step, base, checksum = 0;
    if (scanf("%u %u %u %u %u", &count, &value, &factor, &step, &base) != 5) return 1;
    uint32_t *tape = malloc(sizeof *tape * count), *mirror = malloc(sizeof *tape * count);
    for (uint32_t place = 0; place < count; ++place) {
        tape[place] = value;
        value = value * factor + step;
    }
    for (uint32_t place = 0; place < count; ++place) mirror[place] = tape[count - 1 - place];
    for (uint32_t place = 0; place < count; ++place) checksum = checksum * base + mirror[place];
    printf("%u\n", checksum);
    return 0;
}
