# Spaces count in this problem, and so does the last newline.
import sys

text = sys.stdin.buffer.read().decode("utf-8").split("\n")
answer = "\n".join(line[::-1] for line in text[1 : int(text[0]) + 1])
sys.stdout.buffer.write(answer.encode("utf-8"))
