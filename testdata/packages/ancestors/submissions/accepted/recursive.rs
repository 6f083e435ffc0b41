use std::io::Read;

struct Tree {
    children: Vec<Vec<usize>>,
    generations: usize,
    total: u64,
}

fn visit(tree: &mut Tree, person: usize, generation: usize) -> u64 {
    tree.generations = tree.generations.max(generation);
    let mut size = 1;
    for index in 0..tree.children[person].len() {
        let child = tree.children[person][index];
        size += visit(tree, child, generation + 1);
    }
    tree.total = (tree.total + size * person as u64) % 1_000_000_007;
    size
}

fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    let mut numbers = text.split_ascii_whitespace().map(|word| word.parse::<usize>().unwrap());
    let count = numbers.next().unwrap();
    let mut tree = Tree { children: vec![Vec::new(); count + 1], generations: 0, total: 0 };
    let mut root = 0;
    for person in 1..=count {
        match numbers.next().unwrap() {
            0 => root = person,
            parent => tree.children[parent].push(person),
        }
    }
    visit(&mut tree, root, 1);
    println!("{} {}", tree.generations, tree.total);
}
