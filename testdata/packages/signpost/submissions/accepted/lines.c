#include <stdio.h>
#include <string.h>

int main(int count, char **arguments) {
    char town[32], name[32];
    double distance;
    FILE *table = fopen("table.txt", "r");
    if (count < 2 || !table || scanf("%31s", town) != 1) {
        return 1;
    }
    while (fscanf(table, "%31s %lf", name, &distance) == 2) {
        if (!strcmp(name, town)) {
            int is_km = !strcmp(arguments[1], "km");
            printf("%.9g\n", is_km ? distance : distance / 1.609344);
            return 0;
        }
    }
    return 2;
}
