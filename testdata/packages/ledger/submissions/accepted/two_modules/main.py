from formula import value

for _ in range(int(input())):
    print(value(input()) % 1_000_000_007)
