// @EXPECTED_RESULTS@: RTE, MLE
// The stack may be as large as the memory limit, so either of the two ends this.
#include <stdio.h>

static int visit(volatile int *generation) {
    volatile int frame[64];
    frame[0] = *generation + 1;
    return visit(frame) + frame[0];
}

int main(void) {
    volatile int generation = 0;
    printf("%d\n", visit(&generation));
    return 0;
}
