// Speaks testlib's protocol without testlib: input, output, answer; 0 accepts and 1 rejects.
#include <fstream>
#include <string>

#include "params.h"

int main(int, char **argv) {
    std::ifstream output(argv[2]), answer(argv[3]);
    std::string found, wanted;
    while (answer >> wanted) {
        if (!(output >> found) || found != wanted) return 1;
    }
    return output >> found ? 1 : 0;
}
