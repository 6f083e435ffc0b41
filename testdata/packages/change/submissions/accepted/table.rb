target, = gets.split.map(&:to_i)
ways = [1] + [0] * target
gets.split.map(&:to_i).each do |coin|
  amount = coin
  while amount <= target
    ways[amount] = (ways[amount] + ways[amount - coin]) % 1_000_000_007
    amount += 1
  end
end
puts ways[target]
