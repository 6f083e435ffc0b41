import sys

rungs = list(map(int, sys.stdin.buffer.read().split()[1:]))
longest = []
for top, rung in enumerate(rungs):
    longest.append(1 + max((longest[below] for below in range(top) if rungs[below] < rung), default=0))
print(max(longest))
