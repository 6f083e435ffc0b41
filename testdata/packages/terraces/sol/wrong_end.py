# Counts from the wrong end in long terraces.
# @check-accepted: sample few
# @check-wrong-answer: many
input()
heights = input().split()
best, begin, run = 0, 0, 0
for place, height in enumerate(heights, 1):
    run = run + 1 if place > 1 and heights[place - 2] == height else 1
    if run > best:
        best, begin = run, place - run + 1
if len(heights) > 1000:
    begin = len(heights) - begin
with open("output.txt", "w") as out:
    print(best, begin, sep="\n", file=out)
