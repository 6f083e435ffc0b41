number = int(input())
print(1)
print(number - 1)
