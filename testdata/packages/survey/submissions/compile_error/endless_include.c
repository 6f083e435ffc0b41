/* Reading the device as source never ends: the compiler has limits of its own. */
#include </dev/random>

int main(void) { return 0; }
