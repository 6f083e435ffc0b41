import re


def value(text):
    tokens = re.findall(r"\d+|[-+*()]", text)
    tokens.append("")
    result, place = total(tokens, 0)
    assert place == len(tokens) - 1
    return result


def total(tokens, place):
    result, place = product(tokens, place)
    while tokens[place] in ("+", "-"):
        sign = 1 if tokens[place] == "+" else -1
        other, place = product(tokens, place + 1)
        result += sign * other
    return result, place


def product(tokens, place):
    result, place = atom(tokens, place)
    while tokens[place] == "*":
        other, place = atom(tokens, place + 1)
        result *= other
    return result, place


def atom(tokens, place):
    if tokens[place] == "(":
        result, place = total(tokens, place + 1)
        return result, place + 1
    return int(tokens[place]), place + 1
