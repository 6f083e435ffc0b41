#!/bin/bash
# @EXPECTED_RESULTS@: TLE
# The one that spends the time has lost its parent, and the first process waits for its output.
( (while :; do :; done) & )
sleep 1000
