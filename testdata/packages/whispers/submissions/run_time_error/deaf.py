what, text = input().split()
assert what == "tell"
print(1)
