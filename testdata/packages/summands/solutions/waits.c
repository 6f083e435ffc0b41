int main(void) {
    volatile int turning = 1;
    while (turning) {
    }
    return 0;
}
