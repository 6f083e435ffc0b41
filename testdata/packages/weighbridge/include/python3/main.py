from weighbridge import heaviest

input()
print(heaviest([int(weight) for weight in input().split()]))
