program add_two
  implicit none
  integer(kind=8) :: first, second
  read (*, *) first, second
  write (*, '(I0)') first + second
end program add_two
