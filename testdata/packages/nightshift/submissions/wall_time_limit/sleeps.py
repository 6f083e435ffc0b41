# @EXPECTED_RESULTS@: WTL
import time

time.sleep(1000)
