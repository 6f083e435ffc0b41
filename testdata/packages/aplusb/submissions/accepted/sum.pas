program AddTwo;
var
  first, second: int64;
begin
  read(first, second);
  writeln(first + second);
end.
