"""Puts the number into the riddle. Flags: `largest N`, and `whole` where it must be whole."""
import math
import sys
from fractions import Fraction

ACCEPT, REJECT = 42, 43


def finish(code, message):
    with open(sys.argv[3] + "judgemessage.txt", "a") as file:
        print(message, file=file)
    sys.exit(code)


flags = sys.argv[4:]
largest = int(flags[flags.index("largest") + 1])
with open(sys.argv[1]) as file:
    a, b, c = map(int, file.read().split())
with open(sys.argv[2]) as file:
    jury = file.read().strip()

words = sys.stdin.read(10_000).split()
if len(words) != 1:
    finish(REJECT, f"{len(words)} words where one belongs")
if words[0] == "none":
    finish(ACCEPT if jury == "none" else REJECT, f"none, the jury has {jury}")
try:
    number = Fraction(words[0])
except (ValueError, ZeroDivisionError):
    finish(REJECT, f"{words[0][:40]!r} is no number")
if not 0 <= number <= largest:
    finish(REJECT, f"{words[0][:40]} is out of range")
if "whole" in flags and number != math.floor(number):
    with open(sys.argv[3] + "teammessage.txt", "w") as file:
        print("The number must be whole here.", file=file)
    finish(REJECT, f"{number} is not whole")
if a * number + b < c:
    finish(REJECT, f"{number} gives only {float(a * number + b)}")
if jury == "none":
    raise AssertionError(f"the jury says there is no number, and {number} is one")
finish(ACCEPT, f"{number} gives {float(a * number + b)}")
