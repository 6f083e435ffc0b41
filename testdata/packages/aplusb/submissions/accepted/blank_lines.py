# White space around the number does not matter to the default comparison.
print("\n\n \t" + str(sum(map(int, input().split()))) + "  \r\n\n")
