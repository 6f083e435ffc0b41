#include <cmath>
#include <cstdio>
#include <vector>

int main() {
    int count;
    if (std::scanf("%d", &count) != 1) return 1;
    std::vector<float> x(count), y(count);
    for (int corner = 0; corner < count; ++corner)
        if (std::scanf("%f %f", &x[corner], &y[corner]) != 2) return 1;
    float area = 0, around = 0;
    for (int corner = 0; corner < count; ++corner) {
        int next = (corner + 1) % count;
        area += x[corner] * y[next] - x[next] * y[corner];
        around += std::sqrt((x[next] - x[corner]) * (x[next] - x[corner]) + (y[next] - y[corner]) * (y[next] - y[corner]));
    }
    std::printf("%.10f %.10f\n", std::fabs(area) / 2, around);
}
