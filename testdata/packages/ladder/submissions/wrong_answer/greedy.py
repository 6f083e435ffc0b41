import sys

rungs = list(map(int, sys.stdin.buffer.read().split()[1:]))
count = 0
last = 0
for rung in rungs:
    if rung > last:
        count += 1
        last = rung
print(count)
