// @EXPECTED_RESULTS@: RTE
// SIGXCPU from inside must not be taken for the time limit.
#include <signal.h>

int main(void) {
    raise(SIGXCPU);
    return 0;
}
