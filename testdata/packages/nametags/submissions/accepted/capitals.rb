gets
gets.to_i.times { puts gets.split.map(&:capitalize).join(' ') }
