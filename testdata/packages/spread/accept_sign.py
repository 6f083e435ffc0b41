from dmoj.result import CheckerResult


def check(process_output, judge_output, judge_input, point_value, **kwargs):
    tokens = process_output.split()
    if len(tokens) != 1:
        return CheckerResult(False, 0, "one number is wanted, not %d" % len(tokens))
    try:
        found = int(tokens[0])
    except ValueError:
        return False
    wanted = int(judge_output)
    if found == wanted:
        return True
    if found == -wanted:
        return CheckerResult(True, point_value / 2, "the wrong way round")
    return CheckerResult(False, 0, "not the difference")
