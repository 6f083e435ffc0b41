<?php
[$target, $kinds] = array_map('intval', explode(' ', fgets(STDIN)));
$ways = array_fill(0, $target + 1, 0);
$ways[0] = 1;
foreach (array_map('intval', explode(' ', fgets(STDIN))) as $coin) {
    for ($amount = $coin; $amount <= $target; $amount++) {
        $ways[$amount] = ($ways[$amount] + $ways[$amount - $coin]) % 1000000007;
    }
}
echo $ways[$target], "\n";
