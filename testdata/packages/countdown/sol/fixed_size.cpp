#include <cstdio>
#include <cstdlib>

int main() {
    int n;
    if (scanf("%d", &n) != 1) return 1;
    if (n > 100'000) abort();
    while (n > 0) printf("%d\n", n--);
}
