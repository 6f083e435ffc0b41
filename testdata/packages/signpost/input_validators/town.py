import re
import sys

LONGEST = {{longest}}

town = sys.stdin.read()
is_town = re.fullmatch("[A-Z][a-z]*\n", town) and len(town) <= LONGEST
sys.exit(42 if is_town else 43)
