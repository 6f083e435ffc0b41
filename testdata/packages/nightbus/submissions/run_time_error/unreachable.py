# Asks for the distance of a place that was never reached.
import sys
from heapq import heappop, heappush

numbers = list(map(int, sys.stdin.buffer.read().split()))
count = numbers[0]
neighbours = [[] for _ in range(count + 1)]
for first, second, length in zip(numbers[2::3], numbers[3::3], numbers[4::3]):
    neighbours[first].append((second, length))
    neighbours[second].append((first, length))
distance = {}
queue = [(0, 1)]
while queue:
    reached, place = heappop(queue)
    if place in distance:
        continue
    distance[place] = reached
    for other, length in neighbours[place]:
        heappush(queue, (reached + length, other))
print(distance[count])
