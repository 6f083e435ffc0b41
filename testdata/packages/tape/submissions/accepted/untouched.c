/* Asks for eight times the limit and touches none of it: memory is what is used. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    uint32_t count, value, factor, step, base, checksum = 0, power = 1;
    void *volatile unused = malloc((size_t)2 << 30);
    if (scanf("%u %u %u %u %u", &count, &value, &factor, &step, &base) != 5) return 1;
    while (count-- > 0) {
        checksum += value * power;
        power *= base;
        value = value * factor + step;
    }
    printf("%u\n", checksum);
    free(unused);
    return 0;
}
