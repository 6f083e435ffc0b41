# @EXPECTED_RESULTS@: MLE
# The list alone has eight bytes a position.
count, value, factor, step, base = map(int, input().split())
tape = [0] * count
for place in range(count):
    tape[place] = value
    value = (value * factor + step) % 2**32
checksum = 0
for value in reversed(tape):
    checksum = (checksum * base + value) % 2**32
print(checksum)
