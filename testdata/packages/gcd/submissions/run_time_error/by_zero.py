first, second = map(int, input().split())
while first % second:
    first, second = second, first % second
print(second)
