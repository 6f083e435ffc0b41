"""Hands what the first run wrote to the second; a file in the feedback directory says which it is."""

import os
import sys

_, answer_path, feedback = sys.argv[1:4]
with open(answer_path) as answer_file:
    word = answer_file.read().strip()
seen = os.path.join(feedback, "heard")


def reject(why):
    with open(os.path.join(feedback, "judgemessage.txt"), "a") as notes:
        print(why, file=notes)
    sys.exit(43)


said = sys.stdin.read().split()
if len(said) != 1:
    reject(f"one word is wanted, not {len(said)}")
if os.path.exists(seen):
    if said[0] != word:
        reject(f"{said[0]!r} came out of {word!r}")
    sys.exit(42)
if not said[0].isdigit() or len(said[0]) > 3 * len(word):
    reject("that is no short text of digits")
with open(seen, "w") as note:
    print(said[0], file=note)
with open(os.path.join(feedback, "nextpass.in"), "w") as next_pass:
    print("hear", said[0], file=next_pass)
sys.exit(42)
