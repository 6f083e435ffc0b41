// The longest ladder below each length, in a Fenwick tree over the ranks of the lengths.
use std::io::Read;

fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    let rungs: Vec<u32> = text.split_ascii_whitespace().skip(1).map(|word| word.parse().unwrap()).collect();
    let mut lengths = rungs.clone();
    lengths.sort_unstable();
    lengths.dedup();
    let mut best = vec![0u32; lengths.len() + 1];
    for rung in rungs {
        let rank = lengths.binary_search(&rung).unwrap() + 1;
        let (mut longest, mut node) = (0, rank - 1);
        while node > 0 {
            longest = longest.max(best[node]);
            node &= node - 1;
        }
        node = rank;
        while node < best.len() {
            best[node] = best[node].max(longest + 1);
            node += node & node.wrapping_neg();
        }
    }
    let mut longest = 0;
    let mut node = best.len() - 1;
    while node > 0 {
        longest = longest.max(best[node]);
        node &= node - 1;
    }
    println!("{longest}");
}
