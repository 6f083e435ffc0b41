import std.stdio;

void main()
{
    int target, kinds;
    readf(" %d %d", &target, &kinds);
    auto ways = new uint[target + 1];
    ways[0] = 1;
    foreach (_; 0 .. kinds)
    {
        int coin;
        readf(" %d", &coin);
        foreach (amount; coin .. target + 1)
            ways[amount] = (ways[amount] + ways[amount - coin]) % 1_000_000_007;
    }
    writeln(ways[target]);
}
