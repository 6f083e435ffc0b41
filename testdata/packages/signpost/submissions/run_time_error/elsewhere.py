distances = dict(line.split() for line in open("/data/table.txt"))
print(distances[input().strip()])
