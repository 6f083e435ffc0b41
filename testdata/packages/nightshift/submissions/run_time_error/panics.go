package main

func main() {
	var shifts map[string]int
	shifts["22:00"] = 1
}
