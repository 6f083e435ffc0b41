// @EXPECTED_RESULTS@: OLE
#include <stdio.h>

int main(void) {
    for (;;) puts("the bus is late, the bus is late, the bus is late, the bus is late");
}
