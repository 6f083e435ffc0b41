#include <stdio.h>

enum { most = 200001 };
static int first[most], next[most];
static long long total;
static int generations;

static int visit(int person, int generation) {
    int size = 1;
    if (generation > generations) generations = generation;
    for (int child = first[person]; child != 0; child = next[child]) size += visit(child, generation + 1);
    total = (total + (long long)size * person) % 1000000007;
    return size;
}

int main(void) {
    int count, root = 0;
    if (scanf("%d", &count) != 1) return 1;
    for (int person = 1; person <= count; ++person) {
        int parent;
        if (scanf("%d", &parent) != 1) return 1;
        if (parent == 0) {
            root = person;
        } else {
            next[person] = first[parent];
            first[parent] = person;
        }
    }
    visit(root, 1);
    printf("%d %lld\n", generations, total);
    return 0;
}
