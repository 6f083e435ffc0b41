import sys
from collections import deque

numbers = list(map(int, sys.stdin.buffer.read().split()))
count = numbers[0]
neighbours = [[] for _ in range(count + 1)]
for first, second, length in zip(numbers[2::3], numbers[3::3], numbers[4::3]):
    neighbours[first].append((second, length))
    neighbours[second].append((first, length))
distance = [-1] * (count + 1)
distance[1] = 0
queue = deque([1])
while queue:
    place = queue.popleft()
    for other, length in neighbours[place]:
        if distance[other] < 0:
            distance[other] = distance[place] + length
            queue.append(other)
print(distance[count])
