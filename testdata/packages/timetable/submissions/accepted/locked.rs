use std::io::Write;

fn main() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let numbers: Vec<u64> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    for index in 0..numbers[0] {
        writeln!(output, "{}", numbers[1] + index * numbers[2]).unwrap();
    }
}
