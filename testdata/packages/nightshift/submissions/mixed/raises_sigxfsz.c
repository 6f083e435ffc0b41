// @EXPECTED_RESULTS@: RTE
// SIGXFSZ from inside must not be taken for the output limit.
#include <signal.h>

int main(void) {
    raise(SIGXFSZ);
    return 0;
}
