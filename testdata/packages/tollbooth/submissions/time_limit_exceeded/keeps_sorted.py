# Quadratic: keeps what was read so far, and looks through all of it for every toll.
import sys

tolls = sys.stdin.buffer
tolls.readline()
seen = []
total = 0
for line in tolls:
    seen.append(int(line))
    total = sum(seen)
print(total, max(seen))
