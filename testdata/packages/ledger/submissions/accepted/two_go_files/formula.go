package main

const modulus = 1000000007

type formula struct {
	text     string
	position int
}

// peek is the next byte that is not a space, 0 at the end.
func (f *formula) peek() byte {
	for f.position < len(f.text) && f.text[f.position] == ' ' {
		f.position++
	}
	if f.position == len(f.text) {
		return 0
	}
	return f.text[f.position]
}

func (f *formula) sum() int64 {
	value := f.product()
	for next := f.peek(); next == '+' || next == '-'; next = f.peek() {
		f.position++
		other := f.product()
		if next == '-' {
			other = modulus - other
		}
		value = (value + other) % modulus
	}
	return value
}

func (f *formula) product() int64 {
	value := f.atom()
	for f.peek() == '*' {
		f.position++
		value = value * f.atom() % modulus
	}
	return value
}

func (f *formula) atom() int64 {
	if f.peek() == '(' {
		f.position++
		value := f.sum()
		f.peek()
		f.position++
		return value
	}
	var value int64
	for f.position < len(f.text) && f.text[f.position] >= '0' && f.text[f.position] <= '9' {
		value = 10*value + int64(f.text[f.position]-'0')
		f.position++
	}
	return value % modulus
}
