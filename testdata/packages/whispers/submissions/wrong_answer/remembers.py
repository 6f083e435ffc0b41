# What one run leaves is not there for the next.
import os

what, text = input().split()
if what == "tell":
    with open("/tmp/word", "w") as note:
        note.write(text)
    print(1)
elif os.path.exists("/tmp/word"):
    print(open("/tmp/word").read())
else:
    print("forgotten")
