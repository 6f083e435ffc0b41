#!/usr/bin/env python3
"""Writes the tests of the packages beside this file.

Every test's answer comes from a reference of this file, never from a solution under test, and the
references take other ways than the solutions where there is one (matrix powers for a recurrence,
fractions for floating point). Small tests are committed, and this script reproduces them; tests whose
name ends in `-large` are not committed, and this script is where they come from.

What always holds: the same bytes on every machine and Python 3.8 or later (only `Random.random` is used,
whose sequence Python guarantees); a file appears under its name whole or not at all; a large file whose
size is the one in `large.manifest` is not generated again.

    generate.py            write what is missing
    generate.py --check    write nothing; fail when a file is missing or its bytes are wrong
    generate.py --clean    remove the large files
    generate.py --update   regenerate everything and rewrite large.manifest
"""

import argparse
import hashlib
import heapq
import os
import sys
from bisect import bisect_left
from decimal import Decimal, getcontext
from fractions import Fraction
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parent
MANIFEST = ROOT / "large.manifest"
MODULUS = 1_000_000_007


def below(random, bound):
    """A number from 0 to bound - 1, from `random()` alone: other methods may change between Pythons."""
    return int(random.random() * bound)


def shuffle(random, items):
    """Fisher-Yates in place."""
    for last in range(len(items) - 1, 0, -1):
        other = below(random, last + 1)
        items[last], items[other] = items[other], items[last]


def lines(values):
    """One value a line, with the newline at the end."""
    return "".join(f"{value}\n" for value in values)


# One function a package: yields (test name, function returning input and answer).


def aplusb():
    def pair(first, second):
        return lambda: (f"{first} {second}\n", f"{first + second}\n")

    yield "sample/1", pair(1, 2)
    yield "sample/2", pair(-7, 4)
    yield "secret/small/01-zero", pair(0, 0)
    yield "secret/small/02-cancel", pair(-5, 5)
    yield "secret/limits/01-negative", pair(-(10**12), -(10**12))
    yield "secret/limits/02-positive", pair(10**12, 10**12)
    random = Random(1)
    for number in range(1, 4):
        first, second = (below(random, 2 * 10**12 + 1) - 10**12 for _ in range(2))
        yield f"secret/random/{number:02}", pair(first, second)


def nightshift():
    def shifts(clock):
        def test():
            answers = [(end - begin) % 1440 for begin, end in clock]
            rows = [
                f"{begin // 60:02}:{begin % 60:02} {end // 60:02}:{end % 60:02}" for begin, end in clock
            ]
            return lines([len(clock), *rows]), lines(answers)

        return test

    yield "sample/1", shifts([(1320, 360), (540, 1020)])
    yield "secret/01-same", shifts([(0, 0), (1439, 1439), (720, 720)])
    yield "secret/02-midnight", shifts([(1439, 0), (0, 1439), (1380, 60)])
    random = Random(2)
    yield "secret/03-random", shifts([(below(random, 1440), below(random, 1440)) for _ in range(1000)])


def tollbooth():
    def tolls(count, bound, seed):
        def test():
            draw = Random(seed).random
            values = [int(draw() * bound) + 1 for _ in range(count)]
            return f"{count}\n" + "\n".join(map(str, values)) + "\n", f"{sum(values)} {max(values)}\n"

        return test

    yield "sample/1", tolls(5, 9, 30)
    yield "secret/01-one", tolls(1, 10**12, 31)
    yield "secret/02-some", tolls(1000, 10**12, 32)
    yield "secret/03-large", tolls(2_200_000, 10**12, 33)


def survey():
    getcontext().prec = 60

    def polygon(points):
        def test():
            area, around = Fraction(0), Decimal(0)
            for (x, y), (u, v) in zip(points, points[1:] + points[:1]):
                area += Fraction(x) * Fraction(v) - Fraction(u) * Fraction(y)
                around += ((Decimal(u) - Decimal(x)) ** 2 + (Decimal(v) - Decimal(y)) ** 2).sqrt()
            area = abs(area) / 2
            area = Decimal(area.numerator) / Decimal(area.denominator)
            rows = [f"{x} {y}" for x, y in points]
            return lines([len(points), *rows]), f"{area:.12f} {around:.12f}\n"

        return test

    def star(count, radius, seed):
        """Points around the origin in order of their angle: a polygon that does not cross itself.

        Angles come from the rational parametrisation of the circle, so no machine's sine is involved.
        """
        random = Random(seed)
        points = []
        for index in range(count):
            turn = Fraction(4 * index, count)
            quarter, rest = int(turn), turn - int(turn)
            x, y = (1 - rest**2) / (1 + rest**2), 2 * rest / (1 + rest**2)
            for _ in range(quarter):
                x, y = -y, x
            length = radius * (500 + below(random, 501))
            points.append(tuple(f"{int(part * length)}.{below(random, 1000):03}" for part in (x, y)))
        return polygon(points)

    yield "sample/1", polygon([("0", "0"), ("1", "0"), ("0", "1")])
    yield "secret/01-square", polygon([("0.5", "0.5"), ("-0.5", "0.5"), ("-0.5", "-0.5"), ("0.5", "-0.5")])
    yield "secret/02-sliver", polygon([("0", "0"), ("1000000", "0.001"), ("999999", "0.002")])
    yield "secret/03-star", star(12, 1, 41)
    yield "secret/04-far", star(1000, 900, 42)


def mirror():
    def text(rows):
        return lambda: (lines([len(rows), *rows]), lines(row[::-1] for row in rows))

    scripts = [
        (0x41, 26),  # Latin
        (0x61, 26),
        (0x3B1, 17),  # Greek
        (0x430, 32),  # Cyrillic
        (0x5D0, 27),  # Hebrew, written right to left
        (0x627, 20),  # Arabic
        (0x905, 50),  # Devanagari
        (0x300, 16),  # combining accents
        (0x4E00, 2000),  # Han
        (0xAC00, 2000),  # Hangul
        (0x1F600, 64),  # emoji, beyond 16 bits
        (0x20000, 500),  # Han beyond 16 bits
    ]

    def row(random):
        characters = []
        for _ in range(1 + below(random, 60)):
            base, count = scripts[below(random, len(scripts))]
            characters.append(chr(base + below(random, count)))
            if below(random, 6) == 0:
                characters.append(" " * (1 + below(random, 3)))
        return "".join(characters).strip(" ")

    yield "sample/1", text(["stressed", "né à Málaga", "日本語"])
    yield "secret/01-spaces", text(["a  b   c", "x", "UPPER lower"])
    yield "secret/02-beyond-16-bits", text(["😀😁😂", "a𠀀b", "👩\u200d👩\u200d👧"])
    random = Random(5)
    yield "secret/03-random", text([row(random) for _ in range(200)])


def ancestors():
    def tree(parents, shuffle_seed=None):
        """`parents[i]` is below i, parents[0] unused; labels are shuffled afterwards."""

        def test():
            count = len(parents)
            label = list(range(1, count + 1))
            if shuffle_seed is not None:
                shuffle(Random(shuffle_seed), label)
            size, depth = [1] * count, [1] * count
            for node in range(1, count):
                depth[node] = depth[parents[node]] + 1
            for node in range(count - 1, 0, -1):
                size[parents[node]] += size[node]
            total = sum(map(lambda own, name: own * name, size, label)) % MODULUS
            named = [0] * (count + 1)
            for node in range(1, count):
                named[label[node]] = label[parents[node]]
            return f"{count}\n{' '.join(map(str, named[1:]))}\n", f"{max(depth)} {total}\n"

        return test

    def drawn(count, seed, reach):
        random = Random(seed)
        return [0] + [max(0, node - 1 - below(random, reach)) for node in range(1, count)]

    yield "sample/1", tree([0, 0, 0, 1, 1])
    yield "secret/bushy/01-single", tree([0])
    yield "secret/bushy/02-star", tree([0] * 500, 61)
    yield "secret/bushy/03-random", tree(drawn(2000, 62, 2000), 63)
    yield "secret/deep/01-path", tree([0, *range(2999)], 64)
    yield "secret/deep/02-path-large", lambda: tree([0, *range(199_999)], 65)()
    yield "secret/deep/03-caterpillar-large", lambda: tree(drawn(200_000, 66, 2), 67)()


def tape():
    word = 2**32

    def multiply(left, right):
        return [
            [sum(a * b for a, b in zip(row, column)) % word for column in zip(*right)] for row in left
        ]

    def checksum(count, start, factor, step, base):
        """The sum of x[i] * base^i by powers of the matrix that moves (x * base^i, base^i, sum) on."""
        move = [
            [factor * base % word, step * base % word, 0],
            [0, base, 0],
            [1, 0, 1],
        ]
        result = [[int(row == column) for column in range(3)] for row in range(3)]
        while count:
            if count & 1:
                result = multiply(move, result)
            move = multiply(move, move)
            count >>= 1
        return (result[2][0] * start + result[2][1]) % word

    def recording(*values):
        return lambda: (" ".join(map(str, values)) + "\n", f"{checksum(*values)}\n")

    yield "sample/1", recording(3, 1, 2, 3, 10)
    yield "secret/01-one", recording(1, 4_294_967_295, 5, 7, 11)
    random = Random(7)
    yield "secret/02-short", recording(1000, *(below(random, word) | 1 for _ in range(4)))
    yield "secret/03-full", recording(63_500_000, *(below(random, word) | 1 for _ in range(4)))


def timetable():
    def departures(count, first, step):
        def test():
            last = first + count * step
            return f"{count} {first} {step}\n", "\n".join(map(str, range(first, last, step))) + "\n"

        return test

    yield "sample/1", departures(4, 10, 15)
    yield "secret/01-one", departures(1, 1, 1)
    yield "secret/02-some", departures(1000, 999_999, 12_345)
    yield "secret/03-large", departures(800_000, 123_456_789_012, 1_000_003)


def ladder():
    def longest(values):
        ends = []
        for value in values:
            place = bisect_left(ends, value)
            ends[place : place + 1] = [value]
        return len(ends)

    def rungs(values):
        return f"{len(values)}\n{' '.join(map(str, values))}\n", f"{longest(values)}\n"

    def drawn(count, bound, seed):
        draw = Random(seed).random
        return rungs([int(draw() * bound) + 1 for _ in range(count)])

    yield "sample/1", lambda: rungs([3, 1, 4, 1, 5, 9, 2, 6])
    yield "secret/01-equal", lambda: rungs([7] * 50)
    yield "secret/02-falling", lambda: rungs(list(range(100, 0, -1)))
    yield "secret/03-random", lambda: drawn(2000, 500, 91)
    yield "secret/04-large", lambda: drawn(400_000, 10**9, 92)


def nightbus():
    def shortest(count, roads):
        neighbours = [[] for _ in range(count + 1)]
        for first, second, length in roads:
            neighbours[first].append((second, length))
            neighbours[second].append((first, length))
        best, queue = {}, [(0, 1)]
        while queue:
            distance, node = heapq.heappop(queue)
            if node in best:
                continue
            best[node] = distance
            for other, length in neighbours[node]:
                if other not in best:
                    heapq.heappush(queue, (distance + length, other))
        return best.get(count, -1)

    def town(count, roads):
        rows = [f"{first} {second} {length}" for first, second, length in roads]
        return lines([f"{count} {len(roads)}", *rows]), f"{shortest(count, roads)}\n"

    def drawn(count, extra, reach, seed):
        """A path through all places in a drawn order, and `extra` roads of at most `reach` places."""
        random = Random(seed)
        order = list(range(2, count))
        shuffle(random, order)
        order = [1, *order, count]
        roads = []
        for place in range(count - 1):
            roads.append((order[place], order[place + 1], 1 + below(random, 10**9)))
        for _ in range(extra):
            place = below(random, count - reach)
            other = place + 1 + below(random, reach)
            roads.append((order[place], order[other], (10**9 - 1000 + below(random, 1000))))
        shuffle(random, roads)
        return town(count, roads)

    yield "sample/1", lambda: town(4, [(1, 2, 5), (2, 4, 6), (1, 3, 1), (3, 2, 1), (1, 4, 20)])
    yield "secret/01-apart", lambda: town(3, [(1, 2, 7)])
    yield "secret/02-alone", lambda: town(1, [])
    yield "secret/03-detour", lambda: town(5, [(1, 5, 100), (1, 2, 1), (2, 3, 1), (3, 4, 1), (4, 5, 1)])
    yield "secret/04-random", lambda: drawn(300, 500, 20, 101)
    yield "secret/05-large", lambda: drawn(20_000, 40_000, 30, 102)


def change():
    def ways(target, coins):
        """Coefficient of a product of geometric series, as one big integer a polynomial."""
        width = 512
        mask = (1 << width * (target + 1)) - 1
        product = 1
        for coin in coins:
            step = coin
            while step <= target:
                product = (product + (product << width * step)) & mask
                step *= 2
        return (product >> width * target) % MODULUS

    def purse(target, coins):
        return lambda: (f"{target} {len(coins)}\n{' '.join(map(str, coins))}\n", f"{ways(target, coins)}\n")

    yield "sample/1", purse(10, [1, 2, 5])
    yield "secret/01-none", purse(7, [2, 4])
    yield "secret/02-greedy", purse(12, [9, 6, 1])
    yield "secret/03-many", purse(500, list(range(1, 41)))
    yield "secret/04-all", purse(10_000, [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, *range(3, 93, 2)])


def ledger():
    def expression(random, depth):
        if depth == 0 or below(random, 8) == 0:
            return str(below(random, 10**9))
        left, right = expression(random, depth - 1), expression(random, depth - 1)
        operator = "+-*"[below(random, 3)]
        joined = f"{left} {operator} {right}"
        return f"({joined})" if below(random, 2) else joined

    def page(rows):
        # The rows hold digits, + - * and parentheses only; Python's own grammar is the reference.
        return lambda: (lines([len(rows), *rows]), lines(eval(row) % MODULUS for row in rows))

    yield "sample/1", page(["1 + 2 * 3", "(1 + 2) * 3", "2 - 3 - 4"])
    yield "secret/01-numbers", page(["0", "999999999", "((((7))))"])
    yield "secret/02-minus", page(["1 - 2", "10 - (3 - (2 - 1))", "5 * (0 - 1) - 6 * 7"])
    random = Random(12)
    yield "secret/03-random", page([expression(random, 5) for _ in range(40)])


def nametags():
    def tags(mode, names):
        def test():
            answers = [" ".join(part[:1].upper() + part[1:].lower() for part in name.split()) for name in names]
            return lines([mode, len(names), *names]), lines(answers)

        return test

    def drawn(seed):
        random = Random(seed)
        names = []
        for _ in range(20):
            parts = []
            for _ in range(1 + below(random, 3)):
                letters = [chr(97 + below(random, 26)) for _ in range(2 + below(random, 8))]
                parts.append("".join(c.upper() if below(random, 2) else c for c in letters))
            names.append((" " * (1 + below(random, 3))).join(parts))
        return names

    yield "sample/1", tags("draft", ["ada LOVELACE", "alan   turing"])
    yield "secret/draft/01", tags("draft", drawn(131))
    yield "secret/print/01", tags("print", drawn(132))
    yield "secret/print/02-one", tags("print", ["q"])
    yield "secret/engrave/01", tags("engrave", drawn(133))
    yield "secret/engrave/02-one", tags("engrave", ["GRACE  hopper"])


def regatta():
    def legs(gains):
        def test():
            best = gains[0]
            ending = 0
            for gain in gains:
                ending = max(ending + gain, gain)
                best = max(best, ending)
            return lines([len(gains), *gains]), f"{best}\n"

        return test

    def drawn(seed, count, least):
        random = Random(seed)
        return [least + below(random, 1001 - least) for _ in range(count)]

    yield "sample/1", legs([3, -4, 5, 2])
    yield "sample/2", legs([-2, -1])
    yield "secret/1-calm/01", legs(drawn(141, 20, 0))
    yield "secret/1-calm/02-one", legs([7])
    yield "secret/2-small/03", legs(drawn(142, 20, -1000))
    yield "secret/2-small/04-loses", legs([-gain for gain in drawn(143, 12, 1)])
    yield "secret/3-full/05", legs(drawn(144, 3000, -1000))
    yield "secret/3-full/06-loses", legs([-gain for gain in drawn(145, 3000, 1)])


def removal():
    def boxes(limit, weights, plan=None):
        def test():
            # Fewer vans than the load needs there cannot be; a sample shows a plan.
            return lines([len(weights), limit, *weights]), f"{plan or -(-sum(weights) // limit)}\n"

        return test

    yield "sample/1", boxes(10, [4, 6, 5], "1 1 2")
    yield "secret/flat/1", boxes(10, [5, 5, 2, 8, 3, 7])
    yield "secret/flat/2", boxes(10, [1, 9, 4, 6])
    yield "secret/house/1", boxes(20, [7, 13, 15, 5, 11, 9, 10, 10])


def gcd():
    def pair(first, second):
        def test():
            a, b = first, second
            while b:
                a, b = b, a % b
            return f"{first} {second}\n", f"{a}\n"

        return test

    yield "1", pair(12, 18)
    yield "2", pair(17, 5)
    yield "3-zero", pair(0, 9)
    yield "4-zero", pair(9, 0)
    yield "10-large-values", pair(2**40 * 3**5, 2**37 * 3**9)


# Packages, and where their tests lie: the last one is a bare folder.
PACKAGES = [
    (package, "" if package is gcd else "data")
    for package in (
        aplusb,
        nightshift,
        tollbooth,
        survey,
        mirror,
        ancestors,
        tape,
        timetable,
        ladder,
        nightbus,
        change,
        ledger,
        nametags,
        regatta,
        removal,
        gcd,
    )
]


def all_tests():
    """Every test as (paths of input and answer, whether it is large, function making both)."""
    for package, directory in PACKAGES:
        for name, make in package():
            stem = ROOT / "packages" / package.__name__ / directory / name
            paths = [stem.with_name(stem.name + ending) for ending in (".in", ".ans")]
            yield paths, name.endswith("-large"), make


def read_manifest():
    """Size and SHA-256 of every large file by its path below this directory."""
    entries = {}
    for row in MANIFEST.read_text().splitlines():
        digest, size, path = row.split(maxsplit=2)
        entries[path] = (int(size), digest)
    return entries


def describe(content):
    return len(content), hashlib.sha256(content).hexdigest()


def write(path, content):
    """Writes the whole file or nothing: a temporary name in the same directory, then a rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def has_size(path, size):
    return path.is_file() and path.stat().st_size == size


def generate():
    manifest = read_manifest()
    for paths, large, make in all_tests():
        if large and all(has_size(path, manifest[name_of(path)][0]) for path in paths):
            continue
        for path, text in zip(paths, make()):
            content = text.encode()
            if large and describe(content) != manifest[name_of(path)]:
                sys.exit(f"{name_of(path)}: generated bytes differ from {MANIFEST.name}; run with --update if meant")
            if not (has_size(path, len(content)) and path.read_bytes() == content):
                write(path, content)
                print(f"wrote {name_of(path)} ({len(content)} bytes)")


def update():
    rows = []
    for paths, large, make in all_tests():
        for path, text in zip(paths, make()):
            content = text.encode()
            write(path, content)
            if large:
                size, digest = describe(content)
                rows.append(f"{digest} {size} {name_of(path)}")
    write(MANIFEST, lines(rows).encode())
    print(f"wrote {MANIFEST.name}: {len(rows)} files")


def check():
    manifest = read_manifest()
    wrong = []
    for paths, large, make in all_tests():
        if large:
            expected = [manifest[name_of(path)] for path in paths]
        else:
            expected = [describe(text.encode()) for text in make()]
        for path, description in zip(paths, expected):
            if not has_size(path, description[0]) or describe(path.read_bytes()) != description:
                wrong.append(name_of(path))
    for name in wrong:
        print(f"{name}: missing or not what the generator writes", file=sys.stderr)
    if wrong:
        sys.exit(1)


def clean():
    for paths, large, _ in all_tests():
        for path in paths:
            if large:
                path.unlink(missing_ok=True)
            for leftover in path.parent.glob(f".{path.name}.*.tmp"):
                leftover.unlink(missing_ok=True)


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def main():
    parser = argparse.ArgumentParser(description="Writes the tests of the packages in testdata/packages.")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_const", const=check, dest="action", help="compare only")
    choice.add_argument("--clean", action="store_const", const=clean, dest="action", help="remove large files")
    choice.add_argument("--update", action="store_const", const=update, dest="action", help="rewrite the manifest")
    parser.set_defaults(action=generate)
    parser.parse_args().action()


if __name__ == "__main__":
    main()
