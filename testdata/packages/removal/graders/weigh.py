"""Adds scores, each times its argument; rejects what one of the groups rejects."""
import sys

results = [line.split() for line in sys.stdin]
verdict = next((verdict for verdict, _ in results if verdict != "AC"), "AC")
print(verdict, sum(float(score) * int(weight) for (_, score), weight in zip(results, sys.argv[1:])))
