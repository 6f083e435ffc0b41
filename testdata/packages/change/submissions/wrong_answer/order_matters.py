target, kinds = map(int, input().split())
coins = list(map(int, input().split()))
ways = [1] + [0] * target
for amount in range(1, target + 1):
    ways[amount] = sum(ways[amount - coin] for coin in coins if coin <= amount) % 1_000_000_007
print(ways[target])
