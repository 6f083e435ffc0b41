target, kinds = map(int, input().split())
ways = [1] + [0] * target
for coin in map(int, input().split()):
    for amount in range(coin, target + 1):
        ways[amount] = (ways[amount] + ways[amount - coin]) % 1_000_000_007
print(ways[target])
