#!/usr/bin/env python3
"""Compares an output with the jury's answer as another tool's own comparison does.

Called as output validators are: input, answer, feedback directory; the output is standard input. comparison.json
names the comparison. Exit codes: 42 accepts, 43 rejects, anything else means that this script failed.
"""

import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ACCEPTED, WRONG = 42, 43
SPACES = b" \t\n\x0b\x0c\r"


def lines_of_tokens(text):
    """DMOJ's default: the tokens of each line that has any."""
    lines = (line.split() for line in re.split(rb"[\r\n]", text))
    return [line for line in lines if line]


def white_diff(text):
    """CMS's own: the tokens of each line, empty lines at the end apart."""
    lines = [line.split() for line in text.split(b"\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def comparisons(count):
    """What of a text counts, by the name of the comparison."""
    return {
        "identical": lambda text: text,
        "stripped": lambda text: text.rstrip(SPACES),
        "white-diff": white_diff,
        "tokens-and-lines": lines_of_tokens,
        "letters": lambda text: sorted(b"".join(text.split()).lower()),
        "unordered-tokens": lambda text: sorted(text.split()),
        "first-tokens": lambda text: text.split()[:count],
    }


def main():
    with open(os.path.join(HERE, "comparison.json")) as file:
        settings = json.load(file)
    what_counts = comparisons(settings["count"])[settings["comparison"]]
    with open(sys.argv[2], "rb") as file:
        answer = file.read()
    output = sys.stdin.buffer.read()
    if what_counts(output) == what_counts(answer):
        sys.exit(ACCEPTED)
    with open(os.path.join(sys.argv[3], "judgemessage.txt"), "a") as file:
        file.write("the output differs from the jury's answer\n")
    sys.exit(WRONG)


main()
