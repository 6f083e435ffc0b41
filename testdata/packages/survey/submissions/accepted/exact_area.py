from fractions import Fraction
from math import hypot

corners = [tuple(map(Fraction, input().split())) for _ in range(int(input()))]
area = around = 0
for (x, y), (u, v) in zip(corners, corners[1:] + corners[:1]):
    area += x * v - u * y
    around += hypot(float(u - x), float(v - y))
print(float(abs(area) / 2), around)
