var
  count, step: longint;
  change, inside: int64;
begin
  assign(input, 'turnstile.in');
  reset(input);
  assign(output, 'turnstile.out');
  rewrite(output);
  read(count);
  inside := 0;
  for step := 1 to count do
  begin
    read(change);
    inside := inside + change;
  end;
  writeln(inside);
  close(output);
end.
