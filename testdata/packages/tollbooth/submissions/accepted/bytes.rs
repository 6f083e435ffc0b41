use std::io::Read;

fn main() {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).unwrap();
    let mut numbers = bytes.split(|byte| *byte == b'\n').map(|line| {
        line.iter().fold(0u64, |value, digit| 10 * value + u64::from(digit - b'0'))
    });
    let count = numbers.next().unwrap() as usize;
    let (mut sum, mut largest) = (0, 0);
    for toll in numbers.take(count) {
        sum += toll;
        largest = largest.max(toll);
    }
    println!("{sum} {largest}");
}
