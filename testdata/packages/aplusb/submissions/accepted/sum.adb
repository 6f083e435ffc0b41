with Ada.Long_Long_Integer_Text_IO;
with Ada.Text_IO;

procedure Sum is
   First, Second : Long_Long_Integer;
begin
   Ada.Long_Long_Integer_Text_IO.Get (First);
   Ada.Long_Long_Integer_Text_IO.Get (Second);
   Ada.Long_Long_Integer_Text_IO.Put (First + Second, Width => 1);
   Ada.Text_IO.New_Line;
end Sum;
