module Queue = Set.Make (struct
  type t = int * int

  let compare = compare
end)

let () =
  Scanf.scanf " %d %d" (fun count roads ->
      let neighbours = Array.make (count + 1) [] in
      for _ = 1 to roads do
        Scanf.scanf " %d %d %d" (fun first second length ->
            neighbours.(first) <- (second, length) :: neighbours.(first);
            neighbours.(second) <- (first, length) :: neighbours.(second))
      done;
      let distance = Array.make (count + 1) (-1) in
      let rec search queue =
        match Queue.min_elt_opt queue with
        | None -> ()
        | Some ((reached, place) as nearest) ->
            let queue = Queue.remove nearest queue in
            if distance.(place) >= 0 then search queue
            else begin
              distance.(place) <- reached;
              search
                (List.fold_left
                   (fun queue (other, length) ->
                     if distance.(other) < 0 then Queue.add (reached + length, other) queue else queue)
                   queue neighbours.(place))
            end
      in
      search (Queue.singleton (0, 1));
      Printf.printf "%d\n" distance.(count))
