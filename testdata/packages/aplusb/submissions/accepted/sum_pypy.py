import sys

assert "PyPy" in sys.version
print(sum(map(int, sys.stdin.read().split())))
