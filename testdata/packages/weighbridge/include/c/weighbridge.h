long heaviest(int count, const long *weights);
