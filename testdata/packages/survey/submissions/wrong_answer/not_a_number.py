# nan is near nothing.
print("nan nan")
