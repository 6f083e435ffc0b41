#ifndef FORMULA_H
#define FORMULA_H

/* Reads a sum from the text and moves the pointer behind it. */
long long formula_sum(const char **text);

#endif
