/* Writes 5.00000000000000000000e-01 where others write 0.5. */
#include <math.h>
#include <stdio.h>

int main(void) {
    int count;
    long double first_x, first_y, x, y, next_x, next_y, area = 0, around = 0;
    if (scanf("%d %Lf %Lf", &count, &first_x, &first_y) != 3) return 1;
    x = first_x;
    y = first_y;
    while (count-- > 0) {
        if (count == 0) {
            next_x = first_x;
            next_y = first_y;
        } else if (scanf("%Lf %Lf", &next_x, &next_y) != 2) {
            return 1;
        }
        area += x * next_y - next_x * y;
        around += sqrtl((next_x - x) * (next_x - x) + (next_y - y) * (next_y - y));
        x = next_x;
        y = next_y;
    }
    printf("%.20Le\n%.20LE\n", fabsl(area) / 2, around);
    return 0;
}
