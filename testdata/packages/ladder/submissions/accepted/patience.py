import sys
from bisect import bisect_left

rungs = map(int, sys.stdin.buffer.read().split()[1:])
ends = []
for rung in rungs:
    place = bisect_left(ends, rung)
    if place == len(ends):
        ends.append(rung)
    else:
        ends[place] = rung
print(len(ends))
