//! The comparators against a second implementation: whole inputs in memory, written for clarity only.

use std::io::{self, Read};

use proptest::prelude::*;

use super::source::CAPACITY;
use super::{Comparator, Comparison, TokenOptions, compare, number};

/// Hands out its bytes in pieces of the given sizes, again and again from the first.
struct Pieces<'bytes> {
    bytes: &'bytes [u8],
    sizes: &'bytes [usize],
    turn: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()];
        self.turn += 1;
        let count = size.min(buffer.len()).min(self.bytes.len());
        buffer[..count].copy_from_slice(&self.bytes[..count]);
        self.bytes = &self.bytes[count..];
        Ok(count)
    }
}

fn run(comparator: Comparator, output: &[u8], answer: &[u8]) -> Comparison {
    compare(comparator, &mut &output[..], &mut &answer[..]).unwrap()
}

fn accepted(flags: &str, output: &[u8], answer: &[u8]) -> bool {
    run(Comparator::from_validator_flags(flags).unwrap(), output, answer) == Comparison::Accepted
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// Tokens, and the white space before each and after the last.
fn split(bytes: &[u8]) -> (Vec<&[u8]>, Vec<&[u8]>) {
    let (mut tokens, mut spaces) = (Vec::new(), Vec::new());
    let mut rest = bytes;
    loop {
        let space = rest.iter().position(|byte| !is_space(*byte)).unwrap_or(rest.len());
        spaces.push(&rest[..space]);
        rest = &rest[space..];
        if rest.is_empty() {
            return (tokens, spaces);
        }
        let token = rest.iter().position(|byte| is_space(*byte)).unwrap_or(rest.len());
        tokens.push(&rest[..token]);
        rest = &rest[token..];
    }
}

fn reference(comparator: Comparator, output: &[u8], answer: &[u8]) -> bool {
    let options = match comparator {
        Comparator::Exact => return output == answer,
        Comparator::Tokens(options) => options,
        other => panic!("{other:?} has no reference"),
    };
    let ((output_tokens, output_spaces), (answer_tokens, answer_spaces)) = (split(output), split(answer));
    if output_tokens.len() != answer_tokens.len() {
        return false;
    }
    if options.space_change_sensitive && output_spaces != answer_spaces {
        return false;
    }
    let tolerances = (options.absolute_tolerance, options.relative_tolerance);
    output_tokens.iter().zip(&answer_tokens).all(|(output, answer)| {
        let wanted = if tolerances == (None, None) { None } else { number::parse(answer) };
        match (wanted, number::parse(output)) {
            (Some(wanted), Some(given)) => {
                let difference = (wanted - given).abs();
                tolerances.0.is_some_and(|absolute| difference <= absolute)
                    || tolerances.1.is_some_and(|relative| difference <= relative * wanted.abs())
            }
            (Some(_), None) => false,
            (None, _) if options.case_sensitive => output == answer,
            (None, _) => output.eq_ignore_ascii_case(answer),
        }
    })
}

fn comparators() -> impl Strategy<Value = Comparator> {
    let tolerance = prop::option::of(prop::sample::select(vec![0.0, 1e-9, 0.01, 0.5, 1.0]));
    prop_oneof![
        1 => Just(Comparator::Exact),
        9 => (any::<bool>(), prop::bool::weighted(0.25), tolerance.clone(), tolerance).prop_map(
            |(case_sensitive, space_change_sensitive, absolute_tolerance, relative_tolerance)| {
                Comparator::Tokens(TokenOptions {
                    case_sensitive,
                    space_change_sensitive,
                    absolute_tolerance,
                    relative_tolerance,
                })
            }
        ),
    ]
}

/// A text and a variation of it, made of pieces that often matter.
fn pairs() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let piece = prop::sample::select(vec![
        (" ", " "),
        ("\n", "\n"),
        ("\n", "\r\n"),
        (" ", "  "),
        (" ", "\t"),
        ("\x0b", " "),
        ("\x0c", "\x0c"),
        ("", " "),
        ("abc", "ABC"),
        ("abc", "abc"),
        ("abc", "abd"),
        ("é", "É"),
        ("\u{a0}", "\u{a0}"),
        ("1", "1"),
        ("1", "1.0"),
        (" 1 ", " 1.5 "),
        (" 100 ", " 1e2 "),
        (" 0 ", " -0.0 "),
        (" 2 ", " 2.000000000001 "),
        (" inf ", " INF "),
        (" nan ", " inf "),
        (" 0x10 ", " 16 "),
        ("\0", "\0"),
        ("", "\0"),
        ("12345678901234567890", "12345678901234567891"),
        (".", "."),
        ("-", "+"),
    ]);
    let changed = prop::bool::weighted(0.15);
    prop::collection::vec((piece, changed), 0..40).prop_map(|pieces| {
        let mut pair = (Vec::new(), Vec::new());
        for ((left, right), changed) in pieces {
            pair.0.extend_from_slice(left.as_bytes());
            pair.1.extend_from_slice(if changed { right } else { left }.as_bytes());
        }
        pair
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn agrees_with_the_reference_however_the_reads_are_cut(
        comparator in comparators(),
        (output, answer) in pairs(),
        output_sizes in prop::collection::vec(1usize..9, 1..4),
        answer_sizes in prop::collection::vec(1usize..9, 1..4),
    ) {
        let whole = run(comparator, &output, &answer);
        prop_assert_eq!(whole == Comparison::Accepted, reference(comparator, &output, &answer));
        let mut output = Pieces { bytes: &output, sizes: &output_sizes, turn: 0 };
        let mut answer = Pieces { bytes: &answer, sizes: &answer_sizes, turn: 0 };
        prop_assert_eq!(compare(comparator, &mut output, &mut answer).unwrap(), whole);
    }

    #[test]
    fn any_bytes_get_an_answer_with_a_decent_message(
        comparator in comparators(),
        output: Vec<u8>,
        answer: Vec<u8>,
    ) {
        let comparison = run(comparator, &output, &answer);
        prop_assert_eq!(comparison == Comparison::Accepted, reference(comparator, &output, &answer));
        check_message(&comparison);
        prop_assert_eq!(run(comparator, &output, &output), Comparison::Accepted);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Tokens and white space around the size of the buffers, where pieces are put together.
    #[test]
    fn agrees_with_the_reference_across_buffers(
        comparator in comparators(),
        unit in prop::sample::select(vec!["a", "1", "0", " ", "\n", "ab ", "1 "]),
        before in 0usize..3,
        length in (CAPACITY - 8)..(CAPACITY + 8),
        (output, answer) in pairs(),
        (output_tail, answer_tail) in pairs(),
    ) {
        let long = unit.repeat(length.div_ceil(unit.len()));
        let put = |pair: &[u8], tail: &[u8]| [&b" .x"[..before], pair, long.as_bytes(), tail].concat();
        let output = put(&output, &output_tail);
        let answer = put(&answer, &answer_tail);
        let comparison = run(comparator, &output, &answer);
        prop_assert_eq!(comparison == Comparison::Accepted, reference(comparator, &output, &answer));
        check_message(&comparison);
    }
}

fn check_message(comparison: &Comparison) {
    if let Comparison::Wrong { message } = comparison {
        assert!(message.chars().count() <= 300, "{message}");
        assert!(!message.chars().any(char::is_control), "{message:?}");
        assert!(!message.is_empty());
    }
}

#[test]
fn giant_tokens_are_numbers_too() {
    let zeros = "0".repeat(3 * CAPACITY);
    let flags = "float_tolerance 1e-9";
    assert!(accepted(flags, format!("1.{zeros}").as_bytes(), b"1"));
    assert!(accepted(flags, b"1", format!("1.{zeros}").as_bytes()));
    assert!(accepted(flags, format!("1.{zeros}1").as_bytes(), format!("1.{zeros}2").as_bytes()));
    assert!(accepted(flags, format!("{zeros}1 2").as_bytes(), b"1 2"));
    assert!(!accepted(flags, format!("{zeros}1 2").as_bytes(), b"1 3"));
    assert!(!accepted(flags, format!("1.{zeros}x").as_bytes(), b"1"));
    assert!(!accepted(flags, format!("2.{zeros}").as_bytes(), b"1"));
    assert!(!accepted(flags, format!("1{zeros}").as_bytes(), b"1"));
    // Beyond the doubles: text.
    assert!(accepted(flags, format!("1{zeros}").as_bytes(), format!("1{zeros}").as_bytes()));
    assert!(!accepted(flags, format!("1{zeros}").as_bytes(), format!("1{zeros}0").as_bytes()));
    assert!(!accepted("", format!("1.{zeros}").as_bytes(), b"1"));
}

#[test]
fn giant_differences_are_shown_where_they_are() {
    let long = "abcdefgh".repeat(CAPACITY / 4);
    let output = format!("1\n{long}X{long} y");
    let answer = format!("1\n{long}Y{long} y");
    let Comparison::Wrong { message } =
        run(Comparator::Tokens(TokenOptions::default()), output.as_bytes(), answer.as_bytes())
    else {
        panic!("accepted");
    };
    assert!(message.starts_with("line 2, column 1: expected "), "{message}");
    assert!(message.contains("Yabcdefgh") && message.contains("Xabcdefgh"), "{message}");
    check_message(&Comparison::Wrong { message });
}

/// Gives `count` bytes and then fails.
struct Failing(usize);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::other("the disk is gone"));
        }
        let count = self.0.min(buffer.len());
        buffer[..count].fill(b'7');
        self.0 -= count;
        Ok(count)
    }
}

#[test]
fn a_read_error_of_either_side_is_never_a_verdict() {
    for comparator in [Comparator::Exact, Comparator::Tokens(TokenOptions::default())] {
        for good in [0, 5, CAPACITY, 2 * CAPACITY + 1] {
            let text = vec![b'7'; good + 10];
            assert!(compare(comparator, &mut Failing(good), &mut &text[..]).is_err());
            assert!(compare(comparator, &mut &text[..], &mut Failing(good)).is_err());
        }
    }
}

/// One byte, `left` times over, without the memory.
struct Repeated {
    unit: &'static [u8],
    left: usize,
}

impl Read for Repeated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.left.min(buffer.len());
        for place in buffer[..count].chunks_mut(self.unit.len()) {
            place.copy_from_slice(&self.unit[..place.len()]);
        }
        self.left -= count;
        Ok(count)
    }
}

#[test]
fn floods_end_in_a_verdict() {
    let flood = |unit| Repeated { unit, left: 2_000_000 };
    for (unit, flags, right) in [
        (&b"\n"[..], "", false),
        (b"\n", "space_change_sensitive", false),
        (b"\0", "", false),
        (b"\xff", "", false),
        (b"0", "float_tolerance 1e-6", false),
        (b"1", "float_tolerance 1e-6", false),
        (b"1 ", "float_tolerance 1e-6", false),
    ] {
        let comparator = Comparator::from_validator_flags(flags).unwrap();
        let comparison = compare(comparator, &mut flood(unit), &mut &b"1 2 3\n"[..]).unwrap();
        assert_eq!(comparison == Comparison::Accepted, right, "{unit:?} {flags}");
        check_message(&comparison);
        let comparison = compare(comparator, &mut flood(unit), &mut flood(unit)).unwrap();
        assert_eq!(comparison, Comparison::Accepted, "{unit:?} {flags}");
    }
}
