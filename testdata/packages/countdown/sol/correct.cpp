#include <cstdio>

int main() {
    int n;
    if (scanf("%d", &n) != 1) return 1;
    while (n > 0) printf("%d\n", n--);
}
