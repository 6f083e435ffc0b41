#include <cmath>
#include <cstdio>
#include <vector>

int main() {
    int count;
    if (std::scanf("%d", &count) != 1) return 1;
    std::vector<double> x(count), y(count);
    for (int corner = 0; corner < count; ++corner)
        if (std::scanf("%lf %lf", &x[corner], &y[corner]) != 2) return 1;
    double area = 0, around = 0;
    for (int corner = 0; corner < count; ++corner) {
        int next = (corner + 1) % count;
        area += (x[corner] - x[0]) * (y[next] - y[0]) - (x[next] - x[0]) * (y[corner] - y[0]);
        around += std::hypot(x[next] - x[corner], y[next] - y[corner]);
    }
    std::printf("%.10f %.10f\n", std::fabs(area) / 2, around);
}
