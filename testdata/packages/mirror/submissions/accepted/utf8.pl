use strict;
use warnings;
binmode STDIN, ':encoding(UTF-8)';
binmode STDOUT, ':encoding(UTF-8)';
my $count = <STDIN>;
for (1 .. $count) {
    chomp(my $line = <STDIN>);
    print scalar reverse($line), "\n";
}
