package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	reader := bufio.NewReaderSize(os.Stdin, 1<<16)
	next := func() int64 {
		var value int64
		for {
			digit, err := reader.ReadByte()
			if err != nil || digit == '\n' {
				return value
			}
			value = 10*value + int64(digit-'0')
		}
	}
	var sum, largest int64
	for count := next(); count > 0; count-- {
		toll := next()
		sum += toll
		if toll > largest {
			largest = toll
		}
	}
	fmt.Println(sum, largest)
}
