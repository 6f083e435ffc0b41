package main

import (
	"bufio"
	"fmt"
	"os"
)

var (
	children    [][]int
	generations int
	total       int
)

func visit(person, generation int) int {
	size := 1
	if generation > generations {
		generations = generation
	}
	for _, child := range children[person] {
		size += visit(child, generation+1)
	}
	total = (total + size*person) % 1000000007
	return size
}

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
	count, root := next(), 0
	children = make([][]int, count+1)
	for person := 1; person <= count; person++ {
		if parent := next(); parent == 0 {
			root = person
		} else {
			children[parent] = append(children[parent], person)
		}
	}
	visit(root, 1)
	fmt.Println(generations, total)
}
