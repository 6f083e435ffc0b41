from formulas import value

for _ in range(int(input())):
    print(value(input()))
