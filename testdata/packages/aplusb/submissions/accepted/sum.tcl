gets stdin line
puts [expr {[lindex $line 0] + [lindex $line 1]}]
