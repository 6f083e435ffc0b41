# @EXPECTED_RESULTS@: AC
# Answers, and leaves a child asleep with the output still open: the run ends with its first process.
import os
import sys
import time


def minutes(clock):
    hour, minute = clock.split(":")
    return 60 * int(hour) + int(minute)


for _ in range(int(input())):
    begin, end = map(minutes, input().split())
    print((end - begin) % 1440)
sys.stdout.flush()
try:
    if os.fork() == 0:
        time.sleep(1000)
except OSError:
    pass  # where it may not fork, there is nobody to leave behind
os._exit(0)
