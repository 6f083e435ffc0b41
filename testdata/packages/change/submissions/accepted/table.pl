use strict;
use warnings;
my ($target) = split ' ', <STDIN>;
my @ways = (1, (0) x $target);
for my $coin (split ' ', <STDIN>) {
    for my $amount ($coin .. $target) {
        $ways[$amount] = ($ways[$amount] + $ways[$amount - $coin]) % 1_000_000_007;
    }
}
print "$ways[$target]\n";
