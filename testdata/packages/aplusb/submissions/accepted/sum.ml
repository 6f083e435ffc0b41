let () = Scanf.scanf " %d %d" (fun first second -> Printf.printf "%d\n" (first + second))
