import sys

tolls = sys.stdin.buffer
count = int(tolls.readline())
total = largest = 0
while True:
    batch = list(map(int, tolls.readlines(1 << 18)))
    if not batch:
        break
    total += sum(batch)
    largest = max(largest, max(batch))
print(total, largest)
