a, b, c = map(int, input().split())
for number in range(1001):
    if a * number + b >= c:
        print(number)
        break
else:
    print("none")
