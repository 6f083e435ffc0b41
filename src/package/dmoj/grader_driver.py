"""Runs a grader written for DMOJ's judge as an interactor, connected to the contestant's program by standard input and output.

The grader's answer becomes an exit code: 0 accepts, 1 rejects, and 7 rejects with a part of the points. The part is in
score_multiplier.txt; an accepted test has all points without it. Every other code is an error of the grader. The grader's
feedback is written to teammessage.txt."""

import importlib.util
import json
import os
import sys
import threading
import traceback
import types

HERE = os.path.dirname(os.path.abspath(__file__))
ACCEPTED, REJECTED, PARTIAL, BROKEN = 0, 1, 7, 3
LONGEST_NUMBER = 10000

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


class InternalError(Exception):
    pass


class OutputLimitExceeded(Exception):
    pass


class Partly:
    """An object of DMOJ's judge with some of its attributes; the others are refused by name."""

    title = "this object"

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise InternalError("gavel does not support the attribute '%s' of %s" % (name, self.title))


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


class Result(Partly):
    title = "a result (what the program used is not known before it has ended)"
    AC, WA, RTE, TLE, MLE, IR, SC, OLE, IE = 0, 1, 2, 4, 8, 16, 32, 64, 1 << 30

    def __init__(self, case, result_flag=0, proc_output=b"", feedback="", extended_feedback="", points=0, **figures):
        self.case = case
        self.result_flag = result_flag
        self.proc_output = proc_output
        self.feedback = feedback
        self.extended_feedback = extended_feedback
        self.points = points
        self.__dict__.update(figures)

    @property
    def total_points(self):
        return self.case.points

    @property
    def output(self):
        return utf8text(self.proc_output[: self.case.output_prefix_length], "replace")

    def get_main_code(self):
        return self.result_flag


def utf8bytes(text):
    return text.encode("utf-8") if isinstance(text, str) else text


def utf8text(data, errors="strict"):
    return data.decode("utf-8", errors) if isinstance(data, bytes) else data


def standard(judge_output, process_output):
    def lines(data):
        return [line.split() for line in utf8bytes(data).splitlines() if line.split()]

    return lines(judge_output) == lines(process_output)


def check_standard(process_output, judge_output, **_):
    return standard(judge_output, process_output)


class Process(Partly):
    """The contestant's program."""

    title = "the contestant's process"

    def __init__(self, stdin, stdout):
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = open(os.devnull, "rb")
        self.pid = 0

    def communicate(self, input=None, outlimit=None, errlimit=None):
        def feed():
            try:
                if input:
                    self.stdin.write(input)
                self.stdin.close()
            except (OSError, ValueError):
                pass

        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        read = self.stdout.read() if outlimit is None else self.stdout.read(outlimit + 1)
        if outlimit is not None and len(read) > outlimit:
            raise OutputLimitExceeded("stdout", read)
        feeder.join()
        return read, b""

    safe_communicate = communicate

    def wait(self):
        """Waits until the program has ended or closed its output."""
        try:
            while self.stdout.read(1 << 16):
                pass
        except ValueError:
            pass
        return 0

    def poll(self):
        return None

    def kill(self):
        for stream in (self.stdin, self.stdout):
            try:
                stream.close()
            except OSError:
                pass


class Binary(Partly):
    title = "the contestant's compiled program"

    def __init__(self, process):
        self.process = process

    def launch(self, *arguments, **options):
        if arguments:
            raise InternalError("gavel does not support arguments for the contestant's program")
        if self.process is None:
            raise InternalError("gavel runs the contestant's program once a case, and the grader starts it again")
        process, self.process = self.process, None
        return process

    def populate_result(self, error, result, process):
        pass


class Config(Partly):
    """The keys of init.yml that graders read."""

    title = "the problem's configuration"

    def __init__(self, keys):
        self.__dict__.update(keys)

    def get(self, key, default=None):
        return self.__dict__.get(key, default)

    def __contains__(self, key):
        return key in self.__dict__

    def __getitem__(self, key):
        return getattr(self, key)


class Problem(Partly):
    title = "the problem"

    def __init__(self, context):
        self.id = context["problem_id"]
        self.time_limit = context["time_limit"]
        self.memory_limit = context["memory_limit"]
        self.config = Config(context["config"])


class Input:
    """Opens a case's input as a file."""

    def __init__(self, data):
        self.data = data


class TestCase(Partly):
    title = "a case"

    def __init__(self, context, problem, judge_input, judge_output):
        self.position = context["case_position"]
        self.batch = context["batch"]
        self.points = context["point_value"]
        self.has_binary_data = context["binary_data"]
        self.output_prefix_length = context["config"]["output_prefix_length"]
        self.problem = problem
        self.config = Config(context["config"])
        self._checker = context["checker"]
        self._input, self._output = judge_input, judge_output

    def input_data(self):
        return self._input

    def output_data(self):
        return self._output

    def input_data_io(self):
        return Input(self._input)

    def free_data(self):
        pass

    def checker(self):
        if self._checker != "standard":
            raise InternalError("gavel does not support the checker '%s' beside custom_judge" % self._checker)

        def checker(*arguments, **options):
            return check_standard(*arguments, **options)

        checker.func = check_standard
        return checker


class BaseGrader(Partly):
    title = "a grader"

    def __init__(self, judge, problem, language, source):
        self.judge = judge
        self.problem = problem
        self.language = language
        self.source = utf8bytes(source)
        self.binary = self._generate_binary()
        self._abort_requested = False
        self._current_proc = None

    def grade(self, case):
        raise NotImplementedError

    def _generate_binary(self):
        return Binary(Process(os.fdopen(Streams.to_program, "wb"), os.fdopen(Streams.from_program, "rb")))

    def abort_grading(self):
        self._abort_requested = True


class StandardGrader(BaseGrader):
    def grade(self, case):
        result = Result(case)
        self._launch_process(case, case.input_data_io())
        error = self._interact_with_process(case, result)
        self.populate_result(error, result, self._current_proc)
        check = self.check_result(case, result)
        if not isinstance(check, CheckerResult):
            check = CheckerResult(check, case.points if check else 0.0)
        result.result_flag |= Result.AC if check.passed else Result.WA
        result.points = check.points
        result.feedback = check.feedback or result.feedback
        result.extended_feedback = check.extended_feedback or result.extended_feedback
        return result

    def populate_result(self, error, result, process):
        self.binary.populate_result(error, result, process)

    def check_result(self, case, result):
        if result.result_flag:
            return False
        try:
            return case.checker()(
                result.proc_output,
                case.output_data(),
                submission_source=self.source,
                judge_input=case.input_data(),
                point_value=case.points,
                case_position=case.position,
                batch=case.batch,
                submission_language=self.language,
                binary_data=case.has_binary_data,
                problem_id=self.problem.id,
                case=case,
                result=result,
            )
        except UnicodeDecodeError:
            return CheckerResult(False, 0, feedback="invalid unicode")

    def _launch_process(self, case, input_file=None):
        self._current_proc = self.binary.launch(stdin=input_file)
        self._input = input_file.data if isinstance(input_file, Input) else None

    def _interact_with_process(self, case, result):
        output_limit = case.config.output_limit_length
        result.proc_output, error = self._current_proc.communicate(self._input, outlimit=output_limit)
        return error


class WrongAnswer(BaseException):
    pass


class Interactor:
    """The connection to the program that `interact` gets."""

    def __init__(self, process):
        self.process = process
        self._tokens = None

    @staticmethod
    def _abbreviate(text, length=5):
        text = utf8text(text, "replace")
        return text[:length] + "..." if len(text) > length else text

    def read(self):
        return self._some(self.process.stdout.read())

    def readln(self, strip_newline=True):
        line = self._some(self.process.stdout.readline())
        return line.rstrip() if strip_newline else line

    @staticmethod
    def _some(read):
        if not read:
            raise IOError("child stream closed")
        return read

    def readtoken(self, delim=None):
        if not self._tokens:
            self._tokens = self.readln()
        token, *rest = self._tokens.split(delim, 1) or [self._tokens]
        self._tokens = rest[0] if rest else None
        return token

    def _number(self, kind, name, shown, lo, hi, delim):
        token = self.readtoken(delim)
        if len(token) > LONGEST_NUMBER:
            raise WrongAnswer("%s is too long" % name)
        try:
            number = kind(token)
        except ValueError:
            raise WrongAnswer('expected %s, got "%s"' % (kind.__name__, self._abbreviate(token)))
        if not lo <= number <= hi:
            raise WrongAnswer(shown % (lo, hi, number))
        return number

    def readint(self, lo=float("-inf"), hi=float("inf"), delim=None):
        return self._number(int, "integer", "expected int in range [%.0f, %.0f], got %d", lo, hi, delim)

    def readfloat(self, lo=float("-inf"), hi=float("inf"), delim=None):
        return self._number(float, "float", "expected float in range [%.2f %.2f], got %.2f", lo, hi, delim)

    def write(self, value):
        self.process.stdin.write(utf8bytes(str(value)))
        self.process.stdin.flush()

    def writeln(self, value):
        self.write(str(value) + "\n")

    def close(self):
        self.process.stdin.close()


class InteractiveGrader(StandardGrader):
    def _launch_process(self, case, input_file=None):
        super()._launch_process(case, input_file=None)

    def _interact_with_process(self, case, result):
        interactor = Interactor(self._current_proc)
        self.check = False
        self.feedback = None
        try:
            self.check = self.interact(case, interactor)
            interactor.close()
        except WrongAnswer as wrong:
            self.feedback = str(wrong)
        except IOError:
            pass
        # The program's end is the judge's to wait for.
        return b""

    def check_result(self, case, result):
        if result.result_flag:
            return False
        if isinstance(self.check, CheckerResult):
            return self.check
        return CheckerResult(self.check, case.points if self.check else 0.0, feedback=self.feedback)

    def interact(self, case, interactor):
        raise NotImplementedError


class Streams:
    """Descriptors of the pipes to and from the program, kept apart from the grader's own standard streams."""

    to_program = from_program = None


def module(name, **names):
    made = types.ModuleType(name)
    made.__path__ = []
    made.__dict__.update(names)
    sys.modules[name] = made
    parent, _, own = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], own, made)


def provide():
    module("dmoj")
    module("dmoj.result", CheckerResult=CheckerResult, Result=Result)
    module("dmoj.error", InternalError=InternalError, OutputLimitExceeded=OutputLimitExceeded)
    module("dmoj.problem", Problem=Problem, TestCase=TestCase)
    module("dmoj.utils")
    module("dmoj.utils.unicode", utf8bytes=utf8bytes, utf8text=utf8text)
    module("dmoj.checkers", CheckerOutput=object)
    module("dmoj.checkers._checker", standard=standard)
    module("dmoj.checkers.standard", check=check_standard)
    graders = {
        "base": {"BaseGrader": BaseGrader},
        "standard": {"StandardGrader": StandardGrader},
        "interactive": {
            "InteractiveGrader": InteractiveGrader,
            "Interactor": Interactor,
            "WrongAnswer": WrongAnswer,
        },
    }
    module("dmoj.graders", **{name: what for names in graders.values() for name, what in names.items()})
    for name, names in graders.items():
        module("dmoj.graders." + name, **names)


def load(name):
    sys.path.insert(0, HERE)
    spec = importlib.util.spec_from_file_location(name.rpartition(".")[0], os.path.join(HERE, name))
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def read(path):
    with open(path, "rb") as file:
        return file.read()


def answer(result, case, feedback_directory):
    """Writes the files of the answer; returns the exit code."""
    flags = result.result_flag
    if flags & ~Result.WA:
        raise InternalError("the grader's result has flags (%d) that gavel does not take from graders" % flags)
    passed = not flags
    part = result.points / case.points if case.points else float(passed)
    # What did not pass is not accepted, whatever it is worth.
    part = min(max(part, 0.0), 1.0 if passed else 0.999999)
    lines = [str(line) for line in (result.feedback, result.extended_feedback) if line]
    if lines:
        with open(os.path.join(feedback_directory, "teammessage.txt"), "w", errors="replace") as file:
            file.write("\n".join(lines) + "\n")
    # As in DMOJ, the points do not decide whether the test passed: it may pass and be worth nothing.
    if part == float(passed):
        return ACCEPTED if passed else REJECTED
    with open(os.path.join(feedback_directory, "score_multiplier.txt"), "w") as file:
        file.write(repr(part) + "\n")
    return ACCEPTED if passed else PARTIAL


def main():
    judge_input, judge_output, feedback_directory, source, language, context = sys.argv[1:7]
    context = json.loads(context)
    Streams.from_program, Streams.to_program = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    provide()
    problem = Problem(context)
    case = TestCase(context, problem, read(judge_input), read(judge_output))
    judge = Partly()
    judge.title = "the judge"
    grader = load(context["module"]).Grader
    grader = grader(judge, problem, EXECUTORS.get(language, language.upper()), read(source))
    return answer(grader.grade(case), case, feedback_directory)


try:
    code = main()
except BaseException:
    traceback.print_exc()
    code = BROKEN
sys.stderr.flush()
# Exits at once: a thread of the grader must not delay the answer.
os._exit(code)
