# Lines count in white diff.
# @check-zero: few many
# @check-wrong-answer: sample
input()
with open("output.txt", "w") as out:
    print("3 3", file=out)
