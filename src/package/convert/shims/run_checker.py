#!/usr/bin/env python3
"""Lets a checker of another tool answer as an output validator of the ICPC format.

Called as output validators are: input, answer, feedback directory, arguments; the output is standard input, and
of an interactive problem standard input and output are the submission's. protocol.json says what is called and how.
Exit codes: 42 accepts, 43 rejects, anything else means that the checker failed.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ACCEPTED, WRONG, BROKEN = 42, 43, 1


def command(argv):
    """A program's command, its own files named from this directory."""
    return [os.path.join(HERE, part[2:]) if part.startswith("./") else part for part in argv]


def say(feedback, name, text):
    with open(os.path.join(feedback, name), "a") as file:
        file.write(text.rstrip("\n") + "\n")


def broken(message):
    sys.stderr.write(message + "\n")
    sys.exit(BROKEN)


def partly(settings, feedback, name, value):
    """Ends with a part of the points, where there are parts of points; elsewhere what is right in part is wrong."""
    if value == 0 or not settings["scoring"]:
        sys.exit(WRONG)
    with open(os.path.join(feedback, name), "w") as file:
        file.write(repr(value) + "\n")
    sys.exit(ACCEPTED)


def number(text):
    try:
        value = float(text)
    except ValueError:
        broken("the checker gave points that are no number: " + text)
    if not 0 <= value < float("inf"):
        broken("the checker gave points that are out of range: " + text)
    return value


def judge_testlib(settings, feedback, code, stderr):
    first = stderr.split("\n", 1)[0].strip()
    said = re.match(r"partially correct \((\d+(?:\.\d+)?)\)", first)
    # Beside a code that rejects or gives up, the words count only where they say the code: they may be the contestant's.
    if said and (code not in (1, 2, 3, 4, 8) or float(said[1]) == code):
        part = number(said[1])
        if part > 100:
            broken("the checker gave a part above 100 of 100")
        partly(settings, feedback, "score_multiplier.txt", part / 100)
    if first.startswith("partially correct (") and code not in (1, 2, 3, 4, 8):
        broken("the checker gave a part that is not 0 to 100 of 100: " + first)
    if code == 0:
        return True
    if code in (1, 2, 4, 8):
        return False
    if code in (5, 7) and first.startswith("points "):
        partly(settings, feedback, "score.txt", number(first.split()[1]))
    broken("the checker exited with code %d: %s" % (code, first))


def judge_cms(settings, feedback, code, stdout):
    if code != 0:
        broken("the checker exited with code %d" % code)
    score = number(stdout.split("\n", 1)[0].strip())
    if score > 1:
        broken("the checker gave more than 1")
    if 0 < score < 1:
        partly(settings, feedback, "score_multiplier.txt", score)
    return score == 1


def judge_dmoj(settings, feedback, code, stderr):
    kind = settings["protocol"]
    if code in (0, 1):
        return code == 0
    if kind != "dmoj-default" and code == 2:
        return False
    for line in stderr.splitlines() if code == 7 else []:
        said = re.fullmatch(r"partial (\d+(?:\.\d+)?)/(\d+(?:\.\d+)?)", line)
        if kind == "dmoj-coci" and said and 0 < float(said[2]) >= float(said[1]):
            partly(settings, feedback, "score_multiplier.txt", number(said[1]) / number(said[2]))
        said = re.fullmatch(r"points (\d+(?:\.\d+)?)", line)
        if kind == "dmoj-testlib" and said:
            partly(settings, feedback, "score.txt", number(said[1]))
    broken("the checker exited with code %d: %s" % (code, stderr.split("\n", 1)[0].strip()))


def judge_dmoj_grader(settings, feedback, code, stderr):
    """Gavel's driver of DMOJ's Python checkers has written the part of the points itself."""
    part = os.path.join(feedback, "score_multiplier.txt")
    if not settings["scoring"] and os.path.exists(part):
        os.unlink(part)
    if code in (0, 1):
        return code == 0
    if code == 7 and not settings["scoring"]:
        return False
    if code == 7 and os.path.exists(part):
        return True
    broken("the checker exited with code %d: %s" % (code, stderr.split("\n", 1)[0].strip()))


def check(settings, paths, feedback, arguments):
    order = settings["call"] or {"cms": ["{input}", "{answer}", "{output}"]}.get(
        settings["protocol"], ["{input}", "{output}", "{answer}"]
    )
    for place, value in {**paths, "feedback": feedback}.items():
        order = [part.replace("{%s}" % place, value) for part in order]
    run = subprocess.run(
        command(settings["checker"]) + order + arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    stdout, stderr = run.stdout.decode("utf-8", "replace"), run.stderr.decode("utf-8", "replace")
    say(feedback, "judgemessage.txt", stderr if settings["protocol"] != "cms" else stdout)
    if run.returncode < 0:
        broken("the checker died of signal %d" % -run.returncode)
    if settings["protocol"] == "testlib":
        return judge_testlib(settings, feedback, run.returncode, stderr)
    if settings["protocol"] == "cms":
        return judge_cms(settings, feedback, run.returncode, stdout)
    if settings["protocol"] == "dmoj-grader":
        return judge_dmoj_grader(settings, feedback, run.returncode, stderr)
    return judge_dmoj(settings, feedback, run.returncode, stderr)


def interact(settings, paths, feedback, arguments):
    """Runs the interactor on the submission's streams; whether it was content."""
    run = subprocess.run(
        command(settings["interactor"]) + [paths["input"], paths["output"], paths["answer"]] + arguments,
        stderr=subprocess.PIPE,
    )
    stderr = run.stderr.decode("utf-8", "replace")
    say(feedback, "judgemessage.txt", stderr)
    if run.returncode < 0:
        broken("the interactor died of signal %d" % -run.returncode)
    return judge_testlib(settings, feedback, run.returncode, stderr)


def main():
    with open(os.path.join(HERE, "protocol.json")) as file:
        settings = json.load(file)
    given, answer, feedback = sys.argv[1:4]
    arguments = sys.argv[4:]
    # The last argument on tests whose group gives all of its points or none.
    if arguments[-1:] == ["all-or-nothing"]:
        arguments.pop()
        settings["scoring"] = False
    descriptor, output = tempfile.mkstemp()
    try:
        paths = {"input": given, "output": output, "answer": answer}
        if settings["interactor"]:
            os.close(descriptor)
            accepted = interact(settings, paths, feedback, arguments)
        else:
            with os.fdopen(descriptor, "wb") as file:
                while True:
                    piece = sys.stdin.buffer.read(1 << 20)
                    if not piece:
                        break
                    file.write(piece)
            accepted = True
        if accepted and settings["checker"]:
            accepted = check(settings, paths, feedback, arguments)
        sys.exit(ACCEPTED if accepted else WRONG)
    finally:
        os.unlink(output)


main()
