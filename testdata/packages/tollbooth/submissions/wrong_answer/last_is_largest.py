import sys

tolls = sys.stdin.buffer
tolls.readline()
total = last = 0
while True:
    batch = list(map(int, tolls.readlines(1 << 18)))
    if not batch:
        break
    total += sum(batch)
    last = batch[-1]
print(total, last)
