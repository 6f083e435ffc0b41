import std/[sequtils, strutils]

discard stdin.readLine
for _ in 1 .. stdin.readLine.parseInt:
  echo stdin.readLine.splitWhitespace.mapIt(it.toLowerAscii.capitalizeAscii).join(" ")
