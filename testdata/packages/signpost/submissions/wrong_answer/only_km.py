distances = dict(line.split() for line in open("table.txt"))
distance = int(distances[input().strip()])
print(distance)
