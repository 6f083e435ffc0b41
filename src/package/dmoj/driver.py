"""Calls a checker written for DMOJ's judge.

The checker's answer becomes an exit code: 0 accepts, 1 rejects, and 7 rejects with a part of the points. The part is in
score_multiplier.txt; an accepted test has all points without it. Every other code is an error of the checker. What the
checker says to the contestant is written to teammessage.txt."""

import importlib.util
import json
import os
import sys
import traceback
import types

ACCEPTED, REJECTED, PARTIAL, BROKEN = 0, 1, 7, 3

# DMOJ's names of languages; those of other languages are gavel's in capitals.
EXECUTORS = {
    "c17": "C11",
    "c17-clang": "CLANG",
    "cpp20-clang": "CLANGX",
    "csharp": "MONOCS",
    "haskell": "HASK",
    "javascript": "V8JS",
    "java17": "JAVA",
    "pascal": "PAS",
    "python2": "PY2",
    "python3": "PY3",
}

HERE = os.path.dirname(os.path.abspath(__file__))


class CheckerResult:
    def __init__(self, passed, points, feedback=None, extended_feedback=None):
        if not isinstance(passed, bool):
            raise TypeError("passed must be a bool")
        if not isinstance(points, (int, float)):
            raise TypeError("points must be a number")
        self.passed = passed
        self.points = points
        self.feedback = feedback
        self.extended_feedback = extended_feedback


class Result:
    AC, WA, RTE, TLE, MLE, IR, SC, OLE, IE = 0, 1, 2, 4, 8, 16, 32, 64, 1 << 30

    def __init__(self, proc_output, cpu_ms, wall_ms, memory_kib):
        self.result_flag = 0
        self.proc_output = proc_output
        self.execution_time = cpu_ms / 1000
        self.wall_clock_time = wall_ms / 1000
        self.max_memory = memory_kib
        self.context_switches = (0, 0)
        self.runtime_version = ""
        self.feedback = ""
        self.extended_feedback = ""
        self.points = 0


class InternalError(Exception):
    pass


def utf8bytes(text):
    return text.encode("utf-8") if isinstance(text, str) else text


def utf8text(data, errors="strict"):
    return data.decode("utf-8", errors) if isinstance(data, bytes) else data


def standard(judge_output, process_output):
    def lines(data):
        return [line.split() for line in utf8bytes(data).splitlines() if line.split()]

    return lines(judge_output) == lines(process_output)


def module(name, **names):
    made = types.ModuleType(name)
    made.__path__ = []
    made.__dict__.update(names)
    sys.modules[name] = made
    parent, _, own = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], own, made)


def check_standard(process_output, judge_output, **_):
    return standard(judge_output, process_output)


def provide():
    module("dmoj")
    module("dmoj.result", CheckerResult=CheckerResult, Result=Result)
    module("dmoj.error", InternalError=InternalError)
    module("dmoj.utils")
    module("dmoj.utils.unicode", utf8bytes=utf8bytes, utf8text=utf8text)
    module("dmoj.checkers")
    module("dmoj.checkers._checker", standard=standard)
    module("dmoj.checkers.standard", check=check_standard)


def load(name):
    sys.path.insert(0, HERE)
    spec = importlib.util.spec_from_file_location(name.rpartition(".")[0], os.path.join(HERE, name))
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main():
    judge_input, judge_output, process_output, source = map(read, sys.argv[1:5])
    language, cpu_ms, wall_ms, memory_kib = sys.argv[5], float(sys.argv[6]), float(sys.argv[7]), int(sys.argv[8])
    context = json.loads(sys.argv[10])
    arguments = context.pop("arguments")
    name = context.pop("module")
    provide()
    # By place, as the judge does: checkers call these two as they like.
    said = load(name).check(
        process_output,
        judge_output,
        judge_input=judge_input,
        submission_source=source,
        submission_language=EXECUTORS.get(language, language.upper()),
        execution_time=cpu_ms / 1000,
        result=Result(process_output, cpu_ms, wall_ms, memory_kib),
        **{**context, **arguments},
    )
    worth = context["point_value"]
    if not isinstance(said, CheckerResult):
        # Anything but a bool is refused in there, as the judge does.
        said = CheckerResult(said, worth if said else 0.0)
    part = said.points / worth if worth else float(said.passed)
    # What did not pass is not accepted, whatever it is worth.
    part = min(max(part, 0.0), 1.0 if said.passed else 0.999999)
    tell(" ".join(str(said.feedback or "").split()))
    # As in DMOJ, the points do not decide whether the test passed: it may pass and be worth nothing.
    if part == float(said.passed):
        return ACCEPTED if said.passed else REJECTED
    write("score_multiplier.txt", repr(part))
    return ACCEPTED if said.passed else PARTIAL


def tell(message):
    if message:
        write("teammessage.txt", message)


def write(name, text):
    with open(os.path.join(sys.argv[9], name), "w", encoding="utf-8", errors="replace") as file:
        file.write(text + "\n")


try:
    code = main()
except UnicodeDecodeError:
    # DMOJ blames the output for these.
    tell("invalid unicode")
    code = REJECTED
except BaseException:
    traceback.print_exc()
    code = BROKEN
sys.stderr.flush()
# Exits at once: a thread of the checker must not delay the answer.
os._exit(code)
