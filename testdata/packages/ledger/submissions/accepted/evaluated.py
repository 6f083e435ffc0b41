for _ in range(int(input())):
    print(eval(input()) % 1_000_000_007)
