int main(void) {
    for (volatile unsigned long long i = 1; i; i++) {
    }
}
