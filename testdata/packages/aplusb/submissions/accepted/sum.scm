(let* ((first (read)) (second (read)))
  (display (+ first second))
  (newline))
