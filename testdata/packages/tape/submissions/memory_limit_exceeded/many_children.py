# @EXPECTED_RESULTS@: MLE
# No process is near the limit; six of 80 MiB are beyond it together. Where it may not fork, one holds all.
import os
import signal

blocks = []
for _ in range(6):
    try:
        child = os.fork()
    except OSError:
        child = None
    if child == 0:
        blocks.append(b"x" * (80 << 20))
        signal.pause()
    if child is None:
        blocks.append(b"x" * (80 << 20))
os.wait()
