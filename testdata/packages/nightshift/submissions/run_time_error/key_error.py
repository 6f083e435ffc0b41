print({}[input()])
