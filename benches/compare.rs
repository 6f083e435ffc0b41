//! How fast outputs are compared, beside what could not be beaten and what would be written first.
//!
//! `cargo bench --bench compare`. Each group compares one text of 32 MiB with an equal or nearly equal one, in
//! memory: `memcmp` is the bound (it neither copies the streams into buffers nor counts lines), `naive` is a
//! loop over `split_ascii_whitespace` of both.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gavel::checker::{Comparator, Comparison, compare};

const SIZE: usize = 32 << 20;

/// Lines of six small integers.
fn integers() -> String {
    let mut text = String::with_capacity(SIZE + 64);
    let mut state = 1u64;
    while text.len() < SIZE {
        for column in 0..6 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let _ = write!(text, "{}{}", state >> 44, if column == 5 { '\n' } else { ' ' });
        }
    }
    text
}

/// Lines of one number with nine decimals, `shift` added to each in the last place.
fn decimals(shift: u64) -> String {
    let mut text = String::with_capacity(SIZE + 64);
    let mut state = 1u64;
    while text.len() < SIZE {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let _ = writeln!(text, "{}.{:08}{}", state >> 50, (state >> 20) % 100_000_000, 4 + shift);
    }
    text
}

fn naive(output: &str, answer: &str) -> bool {
    output.split_ascii_whitespace().eq(answer.split_ascii_whitespace())
}

fn naive_numbers(output: &str, answer: &str, tolerance: f64) -> bool {
    let mut answers = answer.split_ascii_whitespace();
    for token in output.split_ascii_whitespace() {
        let Some(wanted) = answers.next() else { return false };
        if token != wanted {
            match (token.parse::<f64>(), wanted.parse::<f64>()) {
                (Ok(given), Ok(wanted)) if (given - wanted).abs() <= tolerance => {}
                _ => return false,
            }
        }
    }
    answers.next().is_none()
}

fn accepted(comparator: Comparator, output: &str, answer: &str) {
    let comparison = compare(comparator, &mut output.as_bytes(), &mut answer.as_bytes());
    assert!(matches!(comparison, Ok(Comparison::Accepted)), "{comparison:?}");
}

fn tokens(flags: &str) -> Comparator {
    Comparator::from_validator_flags(flags).expect("the flags are right")
}

fn equal_text(criterion: &mut Criterion) {
    let answer = integers();
    let output = answer.clone();
    let mut group = criterion.benchmark_group("equal text");
    group.throughput(Throughput::Bytes(answer.len() as u64)).sample_size(10);
    group.bench_function("memcmp", |bencher| {
        bencher.iter(|| assert!(black_box(output.as_bytes()) == black_box(answer.as_bytes())));
    });
    group.bench_function("naive", |bencher| bencher.iter(|| assert!(naive(&output, &answer))));
    for (name, comparator) in [
        ("exact", Comparator::Exact),
        ("tokens", tokens("")),
        ("numbers", tokens("float_tolerance 1e-6")),
        ("spaces", tokens("space_change_sensitive case_sensitive")),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| accepted(comparator, &output, &answer)));
    }
}

fn other_line_ends(criterion: &mut Criterion) {
    let answer = integers();
    let output = answer.replace('\n', "\r\n");
    let mut group = criterion.benchmark_group("other line ends");
    group.throughput(Throughput::Bytes(answer.len() as u64)).sample_size(10);
    group.bench_function("naive", |bencher| bencher.iter(|| assert!(naive(&output, &answer))));
    group.bench_function("tokens", |bencher| bencher.iter(|| accepted(tokens(""), &output, &answer)));
}

fn near_numbers(criterion: &mut Criterion) {
    let (answer, output) = (decimals(0), decimals(1));
    let mut group = criterion.benchmark_group("near numbers");
    group.throughput(Throughput::Bytes(answer.len() as u64)).sample_size(10);
    group.bench_function("naive", |bencher| {
        bencher.iter(|| assert!(naive_numbers(&output, &answer, 1e-6)));
    });
    group.bench_function("numbers", |bencher| {
        bencher.iter(|| accepted(tokens("float_tolerance 1e-6"), &output, &answer));
    });
}

criterion_group!(benches, equal_text, other_line_ends, near_numbers);
criterion_main!(benches);
