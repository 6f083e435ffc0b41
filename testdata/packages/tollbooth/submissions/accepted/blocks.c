#include <stdint.h>
#include <stdio.h>

static char block[1 << 16];
static size_t position, length;

static int next_byte(void) {
    if (position == length) {
        length = fread(block, 1, sizeof block, stdin);
        position = 0;
        if (length == 0) return -1;
    }
    return block[position++];
}

static int64_t next_number(void) {
    int byte = next_byte();
    while (byte >= 0 && byte < '0') byte = next_byte();
    int64_t value = 0;
    while (byte >= '0') {
        value = 10 * value + (byte - '0');
        byte = next_byte();
    }
    return value;
}

int main(void) {
    int64_t count = next_number(), sum = 0, largest = 0;
    while (count-- > 0) {
        int64_t toll = next_number();
        sum += toll;
        if (toll > largest) largest = toll;
    }
    printf("%lld %lld\n", (long long)sum, (long long)largest);
    return 0;
}
