# Recurses once a coin spent, deeper than the interpreter lets it.
def ways(target, coins):
    if target == 0:
        return 1
    if target < 0 or not coins:
        return 0
    return ways(target - coins[-1], coins) + ways(target, coins[:-1])


target, kinds = map(int, input().split())
coins = list(map(int, input().split()))
assert ways(3000, [1]) == 1
print(ways(target, coins) % 1_000_000_007)
