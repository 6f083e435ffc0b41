"""How many vans a plan needs, where no van is overloaded."""
import sys

ACCEPTED, REJECTED = 42, 43


def reject(reason):
    with open(sys.argv[3] + "judgemessage.txt", "w") as message:
        print(reason, file=message)
    sys.exit(REJECTED)


with open(sys.argv[1]) as file:
    count, limit, *weights = map(int, file.read().split())
words = sys.stdin.read().split()
if len(words) != count:
    reject(f"{len(words)} numbers for {count} boxes")
if not all(word.isdecimal() and len(word) < 4 and int(word) > 0 for word in words):
    reject("a number is no van's")
loads = {}
for word, weight in zip(words, weights):
    loads[int(word)] = loads.get(int(word), 0) + weight
if max(loads.values()) > limit:
    reject("a van is overloaded")
with open(sys.argv[3] + "score.txt", "w") as score:
    print(max(loads), file=score)
sys.exit(ACCEPTED)
