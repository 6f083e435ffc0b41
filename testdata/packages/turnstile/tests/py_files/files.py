with open("turnstile.in") as source, open("turnstile.out", "w") as target:
    source.readline()
    print(sum(map(int, source.readline().split())), file=target)
print("done")
