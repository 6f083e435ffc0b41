use std::io::Read;

fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    for line in text.lines().skip(1) {
        println!("{}", line.chars().rev().collect::<String>());
    }
}
