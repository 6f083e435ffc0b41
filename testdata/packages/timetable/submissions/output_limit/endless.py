# @EXPECTED_RESULTS@: OLE
while True:
    print("the bus is late, " * 1000)
