package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Scan()
	for lines.Scan() {
		fmt.Println((&formula{text: lines.Text()}).sum())
	}
}
