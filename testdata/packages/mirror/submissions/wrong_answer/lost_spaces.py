import sys

text = sys.stdin.buffer.read().decode("utf-8").split("\n")
for line in text[1 : int(text[0]) + 1]:
    sys.stdout.buffer.write(" ".join(line[::-1].split(" ")[::1]).replace("  ", " ").encode("utf-8") + b"\n")
