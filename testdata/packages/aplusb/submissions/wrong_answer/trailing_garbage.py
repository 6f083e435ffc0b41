print(sum(map(int, input().split())))
print("done")
