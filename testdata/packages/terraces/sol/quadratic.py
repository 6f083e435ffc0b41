# @check-accepted: sample few
# @check-time-limit-exceeded: many
input()
heights = input().split()
best, begin = 0, 0
for first in range(len(heights)):
    for last in range(first, len(heights)):
        if len(set(heights[first:last + 1])) == 1 and last - first + 1 > best:
            best, begin = last - first + 1, first + 1
with open("output.txt", "w") as out:
    print(best, begin, sep="\n", file=out)
