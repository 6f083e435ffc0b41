gets stdin mode
gets stdin count
for {set index 0} {$index < $count} {incr index} {
    gets stdin name
    set parts {}
    foreach part [regexp -all -inline {\S+} $name] { lappend parts [string totitle $part] }
    puts [join $parts " "]
}
