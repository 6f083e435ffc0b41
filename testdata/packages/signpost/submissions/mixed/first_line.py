name, distance = open("table.txt").readline().split()
assert name == input().strip()
print(distance)
