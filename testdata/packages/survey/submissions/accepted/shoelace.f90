program shoelace
  implicit none
  integer :: count, corner, next
  real(kind=8), allocatable :: x(:), y(:)
  real(kind=8) :: area, around
  read (*, *) count
  allocate (x(count), y(count))
  do corner = 1, count
    read (*, *) x(corner), y(corner)
  end do
  area = 0
  around = 0
  do corner = 1, count
    next = mod(corner, count) + 1
    area = area + (x(corner) - x(1)) * (y(next) - y(1)) - (x(next) - x(1)) * (y(corner) - y(1))
    around = around + sqrt((x(next) - x(corner))**2 + (y(next) - y(corner))**2)
  end do
  write (*, '(F30.9, 1X, F30.9)') abs(area) / 2, around
end program shoelace
