package main

import (
	"bufio"
	"fmt"
	"os"
	"sort"
)

func main() {
	reader := bufio.NewReaderSize(os.Stdin, 1<<16)
	next := func() int {
		value := 0
		for {
			digit, err := reader.ReadByte()
			if err != nil || digit < '0' {
				return value
			}
			value = 10*value + int(digit-'0')
		}
	}
	var ends []int
	for count := next(); count > 0; count-- {
		rung := next()
		place := sort.SearchInts(ends, rung)
		if place == len(ends) {
			ends = append(ends, rung)
		} else {
			ends[place] = rung
		}
	}
	fmt.Println(len(ends))
}
