coins, heirs = map(int, input().split())
rest = coins - heirs * (heirs - 1) // 2
if rest < heirs:
    print("impossible")
else:
    print("\n".join(map(str, [*range(1, heirs), rest])))
