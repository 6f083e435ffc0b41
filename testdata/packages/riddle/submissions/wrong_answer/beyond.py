a, b, c = map(int, input().split())
print(0 if b >= c else 10**9 if a > 0 else "none")
