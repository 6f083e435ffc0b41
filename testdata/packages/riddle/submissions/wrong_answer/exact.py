# The number that gives c exactly: right where it need not be whole, and never too large or negative.
from fractions import Fraction

a, b, c = map(int, input().split())
number = Fraction(c - b, a) if a else Fraction(0)
print(float(number) if 0 <= number <= 1000 else "none")
