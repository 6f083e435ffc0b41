// Forgets that corners may come clockwise.
#include <cmath>
#include <cstdio>
#include <vector>

int main() {
    int count;
    if (std::scanf("%d", &count) != 1) return 1;
    std::vector<double> x(count), y(count);
    for (int corner = count; corner-- > 0;)
        if (std::scanf("%lf %lf", &x[corner], &y[corner]) != 2) return 1;
    double area = 0, around = 0;
    for (int corner = 0; corner < count; ++corner) {
        int next = (corner + 1) % count;
        area += x[corner] * y[next] - x[next] * y[corner];
        around += std::hypot(x[next] - x[corner], y[next] - y[corner]);
    }
    std::printf("%.10f %.10f\n", area / 2, around);
}
