from math import gcd

print(gcd(*map(int, input().split())))
