fn main() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let numbers: Vec<u32> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let (count, mut value, factor, step, base) = (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]);
    let mut tape = Vec::with_capacity(count as usize);
    for _ in 0..count {
        tape.push(value);
        value = value.wrapping_mul(factor).wrapping_add(step);
    }
    let checksum = tape.iter().rev().fold(0u32, |sum, place| sum.wrapping_mul(base).wrapping_add(*place));
    println!("{checksum}");
}
