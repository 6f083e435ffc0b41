#include "lost.h"

int main(void) { return 0; }
