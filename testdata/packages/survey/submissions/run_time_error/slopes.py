# Divides by a difference that is zero.
corners = [tuple(map(float, input().split())) for _ in range(int(input()))]
for (x, y), (u, v) in zip(corners, corners[1:] + corners[:1]):
    print((v - y) / (u - x))
