let () =
  let count = Scanf.scanf " %d" (fun value -> value) in
  let children = Array.make (count + 1) [] and root = ref 0 in
  for person = 1 to count do
    let parent = Scanf.scanf " %d" (fun value -> value) in
    if parent = 0 then root := person else children.(parent) <- person :: children.(parent)
  done;
  let generations = ref 0 and total = ref 0 in
  let rec visit person generation =
    if generation > !generations then generations := generation;
    let size = List.fold_left (fun size child -> size + visit child (generation + 1)) 1 children.(person) in
    total := (!total + size * person) mod 1_000_000_007;
    size
  in
  ignore (visit !root 1);
  Printf.printf "%d %d\n" !generations !total
