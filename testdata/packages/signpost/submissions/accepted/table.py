import sys

distances = dict(line.split() for line in open("table.txt"))
distance = int(distances[input().strip()])
print(distance if sys.argv[1] == "km" else distance / 1.609344)
