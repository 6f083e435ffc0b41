import sys

numbers = list(map(int, sys.stdin.buffer.read().split()))
children = [[] for _ in numbers]
for person, parent in enumerate(numbers[1:], 1):
    children[parent].append(person)
total = 0


def visit(person):
    global total
    below = [visit(child) for child in children[person]]
    size = 1 + sum(size for size, _ in below)
    total += size * person
    return size, 1 + max((depth for _, depth in below), default=0)


_, generations = visit(children[0][0])
print(generations, total % 1_000_000_007)
