program CoinTable;
var
  ways: array [0..10000] of longint;
  target, kinds, coin, amount: longint;
begin
  read(target, kinds);
  fillchar(ways, sizeof(ways), 0);
  ways[0] := 1;
  while kinds > 0 do
  begin
    read(coin);
    for amount := coin to target do
      ways[amount] := (ways[amount] + ways[amount - coin]) mod 1000000007;
    dec(kinds);
  end;
  writeln(ways[target]);
end.
