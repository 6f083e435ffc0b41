package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
)

func main() {
	var count, time, step int64
	fmt.Scan(&count, &time, &step)
	output := bufio.NewWriterSize(os.Stdout, 1<<16)
	defer output.Flush()
	for ; count > 0; count-- {
		output.WriteString(strconv.FormatInt(time, 10))
		output.WriteByte('\n')
		time += step
	}
}
