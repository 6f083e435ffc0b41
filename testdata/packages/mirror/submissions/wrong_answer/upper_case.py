import sys

text = sys.stdin.buffer.read().decode("utf-8").split("\n")
for line in text[1 : int(text[0]) + 1]:
    sys.stdout.buffer.write(line[::-1].upper().encode("utf-8") + b"\n")
