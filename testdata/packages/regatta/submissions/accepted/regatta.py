n = int(input())
best = ending = None
for _ in range(n):
    gain = int(input())
    ending = gain if ending is None else max(gain, ending + gain)
    best = ending if best is None else max(best, ending)
print(best)
