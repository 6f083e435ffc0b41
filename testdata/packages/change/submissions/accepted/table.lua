local target, kinds = io.read("n", "n")
local ways = { [0] = 1 }
for amount = 1, target do ways[amount] = 0 end
for _ = 1, kinds do
  local coin = io.read("n")
  for amount = coin, target do
    ways[amount] = (ways[amount] + ways[amount - coin]) % 1000000007
  end
end
print(ways[target])
