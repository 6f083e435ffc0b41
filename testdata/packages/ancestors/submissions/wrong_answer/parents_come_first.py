# Believes that parents have smaller numbers than their children.
import sys

numbers = list(map(int, sys.stdin.buffer.read().split()))
count = numbers[0]
depth = [0] * (count + 1)
size = [1] * (count + 1)
for person in range(1, count + 1):
    depth[person] = depth[numbers[person]] + 1
for person in range(count, 0, -1):
    size[numbers[person]] += size[person]
print(max(depth), sum(person * size[person] for person in range(1, count + 1)) % 1_000_000_007)
