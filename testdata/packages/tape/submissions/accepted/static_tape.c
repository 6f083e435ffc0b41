/* The tape is a static array, larger than every input needs. */
#include <stdint.h>
#include <stdio.h>

static uint32_t tape[63500000];

int main(void) {
    uint32_t count, value, factor, step, base, checksum = 0;
    if (scanf("%u %u %u %u %u", &count, &value, &factor, &step, &base) != 5) return 1;
    for (uint32_t place = 0; place < count; ++place) {
        tape[place] = value;
        value = value * factor + step;
    }
    for (uint32_t place = count; place-- > 0;) checksum = checksum * base + tape[place];
    printf("%u\n", checksum);
    return 0;
}
