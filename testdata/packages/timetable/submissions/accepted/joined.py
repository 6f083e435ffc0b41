count, first, step = map(int, input().split())
print("\n".join(map(str, range(first, first + count * step, step))))
