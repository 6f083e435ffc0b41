import sys
from bisect import bisect_left

ends = []
for rung in map(int, sys.stdin.read().split()[1:]):
    place = bisect_left(ends, rung)
    ends[place : place + 1] = [rung]
print(len(ends))
