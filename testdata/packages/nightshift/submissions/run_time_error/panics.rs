fn main() {
    let shifts: Vec<u32> = std::env::args().skip(1).map(|_| 1).collect();
    println!("{}", shifts[0]);
}
