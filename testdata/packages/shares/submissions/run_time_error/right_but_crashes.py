coins, heirs = map(int, input().split())
rest = coins - heirs * (heirs - 1) // 2
print("impossible" if rest < heirs else " ".join(map(str, [*range(1, heirs), rest])))
raise SystemExit(42)
