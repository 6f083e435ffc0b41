// @check-wrong-answer: sample
#include <stdio.h>

int main(void) { printf("3\n3\n"); }
