package main

import "fmt"

var tape [63_500_000]uint32

func main() {
	var count, value, factor, step, base, checksum uint32
	fmt.Scan(&count, &value, &factor, &step, &base)
	for place := range tape[:count] {
		tape[place] = value
		value = value*factor + step
	}
	for place := int(count) - 1; place >= 0; place-- {
		checksum = checksum*base + tape[place]
	}
	fmt.Println(checksum)
}
