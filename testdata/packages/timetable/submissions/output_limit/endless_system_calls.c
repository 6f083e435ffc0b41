// @EXPECTED_RESULTS@: OLE
// Past the buffers of the C library, and does not look whether it was written.
#include <string.h>
#include <unistd.h>

static char block[1 << 16];

int main(void) {
    memset(block, '7', sizeof block);
    for (;;) {
        ssize_t written = write(1, block, sizeof block);
        (void)written;
    }
}
