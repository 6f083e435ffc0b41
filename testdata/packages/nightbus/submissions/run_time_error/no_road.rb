# There is a town without a road.
count, roads = gets.split.map(&:to_i)
shortest = Array.new(roads) { gets.split.map(&:to_i) }.min_by(&:last)
puts shortest.last
