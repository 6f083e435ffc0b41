from math import hypot

corners = [tuple(map(float, input().split())) for _ in range(int(input()))]
area = around = 0
for (x, y), (u, v) in zip(corners, corners[1:] + corners[:1]):
    area += x * v - u * y
    around += hypot(u - x, v - y)
print(f"{abs(area) / 2:.2f} {around:.2f}")
