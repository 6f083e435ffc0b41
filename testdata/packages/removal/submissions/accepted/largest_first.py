import sys

n, limit, *weights = map(int, sys.stdin.read().split())
loads, vans = [], [0] * n
for box in sorted(range(n), key=lambda box: -weights[box]):
    van = next((van for van, load in enumerate(loads) if load + weights[box] <= limit), len(loads))
    if van == len(loads):
        loads.append(0)
    loads[van] += weights[box]
    vans[box] = van + 1
print(*vans)
