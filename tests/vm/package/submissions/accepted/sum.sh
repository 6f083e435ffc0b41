#!/bin/bash
read -r first second
echo $((first + second))
