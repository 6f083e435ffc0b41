package main

import "fmt"

func main() {
	var first, second int64
	fmt.Scan(&first, &second)
	fmt.Println(first + second)
}
