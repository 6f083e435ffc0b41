my $count = <STDIN>;
for (1 .. $count) {
    my ($hour, $minute, $last_hour, $last_minute) = <STDIN> =~ /(\d+):(\d+) (\d+):(\d+)/;
    print((60 * ($last_hour - $hour) + $last_minute - $minute + 1440) % 1440, "\n");
}
