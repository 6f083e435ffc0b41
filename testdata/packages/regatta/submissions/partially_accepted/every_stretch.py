# Adds every stretch up again: 50 points, and too slow for the rest.
n = int(input())
gains = [int(input()) for _ in range(n)]
print(max(sum(gains[first:last]) for first in range(n) for last in range(first + 1, n + 1)))
