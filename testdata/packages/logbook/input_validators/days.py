import sys

days = int(sys.stdin.readline())
miles = [int(word) for word in sys.stdin.readline().split(" ")]
assert 3 <= days == len(miles) and all(0 <= day <= 1000 for day in miles) and not sys.stdin.read()
sys.exit(42)
