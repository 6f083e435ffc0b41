package main

import "fmt"

func main() {
	var count, value, factor, step, base, checksum uint32
	fmt.Scan(&count, &value, &factor, &step, &base)
	tape := make([]uint32, count)
	for place := range tape {
		tape[place] = value
		value = value*factor + step
	}
	for place := len(tape) - 1; place >= 0; place-- {
		checksum = checksum*base + tape[place]
	}
	fmt.Println(checksum)
}
