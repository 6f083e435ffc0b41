gains = [0] * 3
for leg in range(int(input())):
    gains[leg] = int(input())
print(sum(gains))
