#!/bin/bash
read -r first second
while ((second)); do
    ((rest = first % second, first = second, second = rest, 1))
done
echo "$first"
