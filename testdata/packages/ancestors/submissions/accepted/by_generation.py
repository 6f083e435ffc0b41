import sys

numbers = list(map(int, sys.stdin.buffer.read().split()))
count = numbers[0]
first = [0] * (count + 1)
following = [0] * (count + 1)
for person in range(1, count + 1):
    parent = numbers[person]
    following[person] = first[parent]
    first[parent] = person
# first[0] is the one without a parent.
order = [first[0]]
generations = begin = 0
while begin < len(order):
    end = len(order)
    generations += 1
    for person in order[begin:end]:
        child = first[person]
        while child:
            order.append(child)
            child = following[child]
    begin = end
size = [1] * (count + 1)
total = 0
for person in reversed(order):
    size[numbers[person]] += size[person]
    total += size[person] * person
print(generations, total % 1_000_000_007)
