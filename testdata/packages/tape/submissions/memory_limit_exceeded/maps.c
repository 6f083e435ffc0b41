// @EXPECTED_RESULTS@: MLE
#include <stddef.h>
#include <sys/mman.h>

int main(void) {
    size_t size = (size_t)512 << 20;
    volatile char *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t place = 0; place < size; place += 4096) pages[place] = 1;
    return 0;
}
