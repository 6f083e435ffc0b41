# Three boxes a van, as they come: some are too heavy for that.
import sys

n = int(sys.stdin.read().split()[0])
print(*[box // 3 + 1 for box in range(n)])
