/* What the statement promises. */
#define SMALLEST 2
#define LARGEST 1000000000
