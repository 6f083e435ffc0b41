# Looks at all roads again for every place, and at all places for every road.
import sys

numbers = list(map(int, sys.stdin.buffer.read().split()))
count = numbers[0]
roads = list(zip(numbers[2::3], numbers[3::3], numbers[4::3]))
far = 10**18
distance = [far] * (count + 1)
distance[1] = 0
for _ in range(count):
    for place in range(1, count + 1):
        for first, second, length in roads:
            if first == place or second == place:
                other = first + second - place
                distance[other] = min(distance[other], distance[place] + length)
print(-1 if distance[count] == far else distance[count])
