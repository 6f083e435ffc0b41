// Quadratic: winds the tape from its beginning for every position.
#include <stdint.h>
#include <stdio.h>

int main(void) {
    uint32_t count, start, factor, step, base, checksum = 0;
    if (scanf("%u %u %u %u %u", &count, &start, &factor, &step, &base) != 5) return 1;
    for (uint32_t place = count; place-- > 0;) {
        volatile uint32_t value = start;
        for (uint32_t wound = 0; wound < place; ++wound) value = value * factor + step;
        checksum = checksum * base + value;
    }
    printf("%u\n", checksum);
    return 0;
}
