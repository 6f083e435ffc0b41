// @EXPECTED_RESULTS@: RTE
// SIGSYS from inside must not be taken for a forbidden system call.
#include <signal.h>

int main(void) {
    raise(SIGSYS);
    return 0;
}
