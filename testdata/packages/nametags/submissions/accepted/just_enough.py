# Only as careful as each group asks: case does not count in drafts, spaces do not in drafts and prints.
mode = input()
for _ in range(int(input())):
    name = input()
    if mode == "draft":
        print(name.upper())
    elif mode == "print":
        print("\n".join(part.capitalize() for part in name.split()), "\n")
    else:
        print(" ".join(part.capitalize() for part in name.split()))
