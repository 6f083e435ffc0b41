/* Four bytes a position: 242 MiB of the 256. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    uint32_t count, value, factor, step, base, checksum = 0;
    if (scanf("%u %u %u %u %u", &count, &value, &factor, &step, &base) != 5) return 1;
    uint32_t *tape = malloc(sizeof *tape * count);
    if (!tape) return 1;
    for (uint32_t place = 0; place < count; ++place) {
        tape[place] = value;
        value = value * factor + step;
    }
    for (uint32_t place = count; place-- > 0;) checksum = checksum * base + tape[place];
    printf("%u\n", checksum);
    return 0;
}
