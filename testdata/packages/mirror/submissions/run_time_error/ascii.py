import sys

text = sys.stdin.buffer.read().decode("ascii").split("\n")
for line in text[1 : int(text[0]) + 1]:
    print(line[::-1])
