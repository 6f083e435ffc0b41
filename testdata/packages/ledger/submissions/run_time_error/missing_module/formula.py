def value(text):
    return eval(text) % 1_000_000_007
