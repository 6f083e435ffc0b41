coins, heirs = map(int, input().split())
print(*range(1, heirs), coins - heirs * (heirs - 1) // 2)
