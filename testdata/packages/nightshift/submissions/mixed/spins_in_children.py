# @EXPECTED_RESULTS@: TLE
# The first process waits; its children spend the time, each a share of it.
import os

for _ in range(3):
    try:
        child = os.fork()
    except OSError:
        child = 0  # where it may not fork, it spins itself
    if child == 0:
        while True:
            pass
os.wait()
