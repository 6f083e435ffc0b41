# 3.0 is not 3 when the package sets no tolerance.
print(float(sum(map(int, input().split()))))
