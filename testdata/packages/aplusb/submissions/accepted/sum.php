<?php
fscanf(STDIN, "%d %d", $first, $second);
echo $first + $second, "\n";
