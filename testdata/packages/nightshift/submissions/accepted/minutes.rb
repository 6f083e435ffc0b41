gets.to_i.times do
  first, last = gets.split.map { |clock| hour, minute = clock.split(':').map(&:to_i); 60 * hour + minute }
  puts (last - first) % 1440
end
