local first, second = io.read("n", "n")
print(first + second)
