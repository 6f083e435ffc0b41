// @EXPECTED_RESULTS@: TLE
// Nearly all of the time passes in the kernel.
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    for (;;) syscall(SYS_getppid);
}
