# x[i] * base^i summed over the first half, and over the second by moving the first half on.
count, start, factor, step, base = map(int, input().split())
word = 1 << 32


def recording(length):
    """Such that the end is scale * start + shift, and the sum weight * start + extra; and base^length."""
    if length == 0:
        return 1, 0, 0, 0, 1
    if length % 2:
        scale, shift, weight, extra, power = recording(length - 1)
        return (
            scale * factor % word,
            (shift * factor + step) % word,
            (weight + power * scale) % word,
            (extra + power * shift) % word,
            power * base % word,
        )
    scale, shift, weight, extra, power = recording(length // 2)
    return (
        scale * scale % word,
        (scale * shift + shift) % word,
        (weight + power * weight * scale) % word,
        (extra + power * (weight * shift + extra)) % word,
        power * power % word,
    )


_, _, weight, extra, _ = recording(count)
print((weight * start + extra) % word)
