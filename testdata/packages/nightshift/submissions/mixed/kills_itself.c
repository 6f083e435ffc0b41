// @EXPECTED_RESULTS@: RTE
// SIGKILL from inside must not be taken for a limit.
#include <signal.h>

int main(void) {
    raise(SIGKILL);
    return 0;
}
