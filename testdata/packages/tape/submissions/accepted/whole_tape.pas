{$Q-}{$R-}
program WholeTape;
var
  count, value, factor, step, base, checksum: longword;
  tape: array of longword;
  place: longint;
begin
  read(count, value, factor, step, base);
  setlength(tape, count);
  for place := 0 to longint(count) - 1 do
  begin
    tape[place] := value;
    value := longword(value * factor + step);
  end;
  checksum := 0;
  for place := longint(count) - 1 downto 0 do
    checksum := longword(checksum * base + tape[place]);
  writeln(checksum);
end.
