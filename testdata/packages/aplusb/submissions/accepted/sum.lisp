(format t "~D~%" (+ (read) (read)))
