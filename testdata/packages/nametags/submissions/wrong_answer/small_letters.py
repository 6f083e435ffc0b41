# Right for drafts only.
mode = input()
for _ in range(int(input())):
    print(" ".join(input().lower().split()))
