coins, heirs = map(int, input().split())
print(*[coins // heirs] * (heirs - 1), coins - coins // heirs * (heirs - 1))
