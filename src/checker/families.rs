//! testlib's and DMOJ's checkers: tables of what they say, and naive versions of them that must agree.

use proptest::prelude::*;

use super::words::is_space;
use super::{Comparator, Comparison, DmojChecker, FloatMode, TestlibChecker, TokenOptions, compare};

/// "ok", "wrong", "part" or "broken".
fn says(comparator: Comparator, output: &[u8], answer: &[u8]) -> &'static str {
    match compare(comparator, &mut &output[..], &mut &answer[..]).unwrap() {
        Comparison::Accepted => "ok",
        Comparison::Partial { .. } => "part",
        Comparison::BrokenAnswer { message } => {
            assert!(!message.contains('\n') && message.starts_with("line "), "{message}");
            "broken"
        }
        Comparison::Wrong { message } => {
            assert!(!message.is_empty() && !message.contains('\n'), "{message:?}");
            assert!(message.chars().count() <= 300, "{message}");
            "wrong"
        }
    }
}

/// Each row: the answer, outputs that are right, outputs that are wrong.
fn table(comparator: Comparator, rows: &[(&str, &[&str], &[&str])]) {
    for (answer, right, wrong) in rows {
        for (outputs, wanted) in [(right, "ok"), (wrong, "wrong")] {
            for output in *outputs {
                let said = says(comparator, output.as_bytes(), answer.as_bytes());
                assert_eq!(said, wanted, "{comparator:?}: answer {answer:?}, output {output:?}");
            }
        }
    }
}

fn broken(comparator: Comparator, answers: &[&str]) {
    for answer in answers {
        // The same text as output: nothing the contestant does makes it right or wrong.
        let said = says(comparator, answer.as_bytes(), answer.as_bytes());
        assert_eq!(said, "broken", "{comparator:?}: {answer:?}");
    }
}

fn testlib(name: &str) -> Comparator {
    Comparator::Testlib(TestlibChecker::named(name).unwrap())
}

#[test]
fn names_are_those_of_testlib_and_polygon() {
    assert_eq!(TestlibChecker::named("std::rcmp6.cpp"), Some(TestlibChecker::Rcmp6));
    assert_eq!(TestlibChecker::named("wcmp.cpp"), Some(TestlibChecker::Wcmp));
    assert_eq!(TestlibChecker::named("yesno"), Some(TestlibChecker::Yesno));
    assert_eq!(TestlibChecker::named("check.cpp"), None);
    assert_eq!(TestlibChecker::named("std::"), None);
}

#[test]
fn integers_have_one_spelling() {
    let right: &[&str] = &["5", " \n5\r\n\t"];
    let wrong: &[&str] = &["", "6", "+5", "05", "5.0", "5 5", "5 x", "five", "5\u{0}", "0x5", "2147483648"];
    table(
        testlib("icmp"),
        &[("5\n", right, wrong), ("0", &["0"], &["-0", "00", ""]), ("-7", &["-7"], &["7", "- 7"])],
    );
    broken(testlib("icmp"), &["", " ", "x", "05", "-0", "2147483648", "-2147483649", "1.0"]);
    table(
        testlib("ncmp"),
        &[
            ("", &["", " \n"], &["1", "x"]),
            ("1 2\n3", &["1\n2 3", "1 2 3 \r\n"], &["1 2", "1 2 3 4", "1 2 4", "1 2 03", "", "1 2 three"]),
            (
                "-9223372036854775808 9223372036854775807",
                &["-9223372036854775808 9223372036854775807"],
                &["0 0"],
            ),
        ],
    );
    broken(testlib("ncmp"), &["9223372036854775808", "1 2 x", "--1", "-"]);
    let huge = "9".repeat(300_000);
    let shorter = "9".repeat(299_999);
    table(
        testlib("hcmp"),
        &[(&huge, &[&huge], &[&shorter, "9"]), ("-12", &["-12", "\n-12 "], &["12", "-12 1", "-012", "+12"])],
    );
    broken(testlib("hcmp"), &["", "1 2", "-0", "00", "1e5", "-"]);
    table(
        testlib("uncmp"),
        &[
            ("1 2 2 3", &["3 2 1 2", "2\n2\n1\n3"], &["1 2 3", "1 2 3 3", "1 2 2 3 3", "1 2 2 x", ""]),
            ("", &["", " "], &["0"]),
        ],
    );
    broken(testlib("uncmp"), &["1 x"]);
}

#[test]
fn doubles_are_near_by_their_own_measure() {
    for name in ["acmp", "rcmp"] {
        table(
            testlib(name),
            &[(
                "10.0",
                &["1e1", "10.0000014", "+10", "9.9999986"],
                &["10.0000016", "9.9999984", "10 1", "nan", "inf", "", "0x1p3", "10,0"],
            )],
        );
    }
    table(
        testlib("dcmp"),
        &[
            ("1000000", &["1000001", "999999", "1e6"], &["1000001.1", "1000000 x", ""]),
            ("0", &["1e-6", "-0", "-0.000001"], &["1.1e-6", "x"]),
            ("-2000000", &["-2000002", "-1999998"], &["2000000", "-2000002.1"]),
        ],
    );
    for (name, inside, outside) in [
        ("rcmp4", "1.0001", "1.00011"),
        ("rcmp6", "1.000001", "1.0000011"),
        ("rcmp9", "1.000000001", "1.0000000011"),
    ] {
        table(
            testlib(name),
            &[
                (
                    "1 1\n",
                    &["1 1", &format!("{inside}\n{inside}")],
                    &["1", "1 1 1", &format!("1 {outside}"), "1 x"],
                ),
                ("", &["", "\n"], &["1"]),
            ],
        );
        broken(testlib(name), &["1 x", "nan", "inf", "0x1", "1e"]);
    }
    table(
        testlib("rncmp"),
        &[("1000000 2", &["1000000.000015 2"], &["1000000.00002 2", "1000000", "1000000 2 0"])],
    );
    let long = format!("0.{}1", "0".repeat(400_000));
    table(
        testlib("rcmp9"),
        &[("0", &[&long], &[&format!("1{}", "0".repeat(400_000))]), (&long, &["0", &long], &["1"])],
    );
}

#[test]
fn yes_and_no_come_in_either_case() {
    table(
        testlib("yesno"),
        &[
            ("YES\n", &["yes", "Yes", "YES", " yEs\n"], &["no", "y", "", "yes yes", "YES.", "maybe"]),
            ("no", &["NO", "No"], &["yes"]),
        ],
    );
    broken(testlib("yesno"), &["", "maybe"]);
    table(
        testlib("nyesno"),
        &[
            ("yes NO", &["YES no", "yes\nno"], &["yes", "yes no no", "no yes", "yes maybe"]),
            ("", &[""], &["yes"]),
        ],
    );
    broken(testlib("nyesno"), &["yes perhaps"]);
}

#[test]
fn tokens_and_lines_count_as_testlib_counts_them() {
    table(
        testlib("wcmp"),
        &[
            ("a b", &["a b", "a\nb\r\n", " a\tb"], &["A b", "ab", "a", "a b c", "a\u{b}b", "a b\u{c}"]),
            ("", &["", "\n"], &["x"]),
        ],
    );
    table(
        testlib("lcmp"),
        &[
            (
                "a b\nc\n",
                &["a  b\nc", " a b \r\n c \n", "a b\nc\n\n \n"],
                &["a\nb\nc", "a b c", "a b", "a b\nc\nd", "a b\n\nc", ""],
            ),
            ("a\n\n", &["a", "a\n"], &["", "a\nb"]),
            ("a\n\n\n", &["a\n\n", "a\n \n", "a", "a\n"], &["", "a\n\n\n\nb"]),
            ("\na\n", &["\na", " \na"], &["a", "\n\na"]),
            ("", &["", " \n"], &["a"]),
            ("a \n \n", &["a\n\n", "a\n ", "a\n", "a"], &["a\n\nb"]),
            // Within lines C++ splits at every white space, after them testlib knows four kinds of it.
            ("a\u{c}b\n", &["a b", "a\u{b}b\n", "a\u{c}\u{b}b"], &["a\nb", "ab"]),
            ("a b\n", &["a\u{c}b", "a b\u{c}", "\u{b}a b\n", "a b\n\n"], &["a b\n\u{c}", "a b\n\u{b}\n"]),
            ("\u{c}\n", &["\n", "\u{b}\n", " \n\n", ""], &["a"]),
            ("a\n\u{c}\u{c}\nb", &["a\n\nb", "a\n \nb"], &["a\n", "a\nb"]),
        ],
    );
    table(
        testlib("fcmp"),
        &[
            (
                "a  b\nc\n",
                &["a  b\nc\n", "a  b\r\nc", "a  b\nc\n\n  \n"],
                &["a b\nc", "a  b \nc", "a  b", "a  b\nc\nd", ""],
            ),
            ("a\n\n", &["a"], &["", "b"]),
            ("a\n\n\n", &["a\n\n", "a\n", "a"], &["a\n \n", ""]),
            ("", &["", "\n"], &["a"]),
        ],
    );
}

#[test]
fn cases_are_numbered() {
    for name in ["caseicmp", "casencmp", "casewcmp"] {
        table(
            testlib(name),
            &[
                (
                    "Case 1: 5\nCase 2: 6\n",
                    &["Case 1: 5 Case 2: 6"],
                    &[
                        "Case 1: 5",
                        "Case 1: 5\nCase 2: 7",
                        "Case 1: 5\nCase 3: 6",
                        "case 1: 5\nCase 2: 6",
                        "5\n6",
                        "",
                        "Case 1: 5\nCase 2: 6\nCase 3: 7",
                    ],
                ),
                ("", &["", "\n"], &["Case 1: 5"]),
            ],
        );
        broken(testlib(name), &["5", "Case 2: 5", "Case 1 : 5", "Case", "\u{feff}Case 1: 5"]);
    }
    broken(
        testlib("caseicmp"),
        &["Case 1: 5 Case", "Case 1: 5 6", "Case 1:", "Case 1: Case 2: 5", "Case 1: x"],
    );
    table(testlib("casencmp"), &[("Case 1:\nCase 2: 1 2", &["Case 1: Case 2: 1 2"], &["Case 1: Case 2: 1"])]);
    broken(testlib("casencmp"), &["Case 1: 1 x"]);
    table(
        testlib("caseicmp"),
        &[("Case 1: 5", &["Case 1: 5"], &["Case 1: 5 Case", "Case 1: 05", "Case 1: +5"])],
    );
    // A last `Case` ends the values before it.
    table(
        testlib("casencmp"),
        &[
            ("Case 1: 5 Case", &["Case 1: 5", "Case 1: 5 Case"], &["Case 1: 5 Case 2:"]),
            ("Case 1:\nCase 2: 1 2", &["Case 1: Case 2: 1 2 Case"], &["Case 1: Case 2: 1 02"]),
        ],
    );
    table(
        testlib("casewcmp"),
        &[
            (
                "Case 1: a b",
                &["Case 1:\na b", "Case 1: a b Case"],
                &["Case 1: a", "Case 1: a B", "Case 1: a b Case 2:", "Case 1: a b c", "Case 1: a b\u{c}"],
            ),
            ("Case 1: a\u{c}b", &["Case 1: a\u{c}b"], &["Case 1: a b", "Case 1: a\u{b}b"]),
            ("Case 1: Case 2: x", &["Case 1: Case 2: x Case"], &["Case 1: Case 2: Case x"]),
        ],
    );
}

#[test]
fn a_byte_order_mark_before_the_output_is_none_of_it_for_testlib_alone() {
    let says =
        |comparator, output: &str, answer: &str| says(comparator, output.as_bytes(), answer.as_bytes());
    let output = "\u{feff}5\n";
    for name in ["acmp", "fcmp", "hcmp", "icmp", "lcmp", "ncmp", "rcmp", "rcmp6", "rncmp", "uncmp", "wcmp"] {
        assert_eq!(says(testlib(name), output, "5\n"), "ok", "{name}");
        assert_ne!(says(testlib(name), "\u{feff}\u{feff}5\n", "5\n"), "ok", "{name}");
        assert_ne!(says(testlib(name), "5\n", output), "ok", "{name}");
    }
    assert_ne!(says(testlib("wcmp"), output, output), "ok");
    assert_eq!(says(testlib("yesno"), "\u{feff}yes", "YES"), "ok");
    assert_eq!(says(testlib("casewcmp"), "\u{feff}Case 1: a", "Case 1: a"), "ok");
    for other in [
        Comparator::Tokens(TokenOptions::default()),
        Comparator::Dmoj(DmojChecker::Standard),
        Comparator::WhiteDiff,
    ] {
        assert_ne!(says(other, output, "5\n"), "ok", "{other:?}");
    }
}

#[test]
fn the_standard_checker_of_dmoj_knows_lines_from_spaces() {
    table(
        Comparator::Dmoj(DmojChecker::Standard),
        &[
            (
                "a b\nc\n",
                &["a b\nc", " \n a  \t b \r\n\n c \n\n", "a b\rc"],
                &["a b c", "a\nb\nc", "a b\nC", "ab\nc", "a b\ncd", "a b", ""],
            ),
            ("ab", &["ab", "ab\n"], &["a b", "abc", "a", "a\nb"]),
            ("", &["", " \n"], &["x"]),
            ("a\n", &["a", "a "], &["a\nb"]),
        ],
    );
    let long = "x".repeat(300_000);
    let answer = format!("{long} {long}\n{long}");
    table(
        Comparator::Dmoj(DmojChecker::Standard),
        &[(&answer, &[&answer], &[&answer.replace('\n', " "), &format!("{answer}x"), &answer[..600_000]])],
    );
}

#[test]
fn floats_of_dmoj_are_compared_line_by_line() {
    let floats = |mode| Comparator::Dmoj(DmojChecker::Floats { precision: 2, mode });
    let (default, absolute, relative) =
        (floats(FloatMode::Default), floats(FloatMode::Absolute), floats(FloatMode::Relative));
    table(
        default,
        &[
            (
                "a 100\n5\n",
                &["a 100.9\r\n\n5.04", "a 99.1\n5", "a 1_0_0\n5"],
                &[
                    "a 102\n5",
                    "a\n100\n5",
                    "a 100 5",
                    "b 100\n5",
                    "a x\n5",
                    "a nan\n5",
                    "a 1__00\n5",
                    "a 0x64\n5",
                    "a 100\n5\n ",
                    "",
                ],
            ),
            ("0.001", &["0", "0.011"], &["0.02", "-0.01"]),
            ("nan", &[], &["nan", "NaN", "0"]),
            ("inf", &[], &["inf", "1"]),
            ("\n\n", &["", "\n"], &[" ", "0"]),
        ],
    );
    table(absolute, &[("100", &["100.009", "99.991"], &["100.02", "101"])]);
    table(
        relative,
        &[
            ("100", &["101", "99"], &["101.1"]),
            ("0", &["0", "-0"], &["0.001"]),
            ("-5", &["-5.05"], &["5"]),
            ("inf", &["inf", "1e999"], &["1"]),
        ],
    );
}

#[test]
fn the_other_checkers_of_dmoj_have_their_own_ideas_of_lines() {
    let dmoj = Comparator::Dmoj;
    table(dmoj(DmojChecker::Identical), &[("a\n", &["a\n"], &["a", "a \n", "a\r\n", ""])]);
    table(
        dmoj(DmojChecker::Easy),
        &[("Ab c\n", &["cBA", "a\nb\nc", "A b C"], &["abcc", "ab", "", "abd"]), ("", &["", " "], &["x"])],
    );
    table(
        dmoj(DmojChecker::Rstripped { filter_new_line: false }),
        &[
            (
                "a \n\nb\n",
                &["a\n\nb\n", "a\t\n \nb  \n"],
                &["a\nb\n", "a\n\nb", "a\n\nb\n\n", " a\n\nb\n", "a\r\n\r\nb\r\n", ""],
            ),
            ("", &["", "  "], &["\n", "a"]),
        ],
    );
    table(
        dmoj(DmojChecker::Rstripped { filter_new_line: true }),
        &[("a\n\nb", &["a\nb\n", "\n\na \r\n\r\nb"], &["a", "a\nb\nc", "a\n \nb", "ab"])],
    );
    table(
        dmoj(DmojChecker::SortedLines),
        &[(
            "a b\nc\nc\n",
            &["c\na  b\nc", "\n\nc \n c\n a b"],
            &["b a\nc\nc", "a b\nc", "a b\nc\nc\nc", "a b c c", "a b\nc\nd", "a b\nc\nc\n "],
        )],
    );
    table(
        dmoj(DmojChecker::SortedTokens),
        &[("a b\nc c", &["c c b a", "a\nb\nc\nc"], &["a b c", "a b c c c", "a b c d", "ab c c"])],
    );
    let count = dmoj(DmojChecker::Linecount);
    table(
        count,
        &[("a\nb\n", &["a\nb", " a \n\n\tb\n"], &["x\ny", "", "a\nb\nc"]), ("", &["", "\n"], &["a"])],
    );
    for (output, fraction) in [("a\nx\nc\nd", 0.75), ("a", 0.25), ("x\nb\n", 0.25)] {
        match compare(count, &mut output.as_bytes(), &mut &b"a\nb\nc\nd\n"[..]).unwrap() {
            Comparison::Partial { fraction: found, message } => {
                assert_eq!(found.to_bits(), f64::to_bits(fraction), "{output}");
                assert!(message.contains("expected"), "{message}");
            }
            other => panic!("{output}: {other:?}"),
        }
    }
}

#[test]
fn the_first_tokens_may_be_all_that_counts() {
    table(
        Comparator::FirstTokens(2),
        &[
            ("a b c", &["a b", "a\nb x y", " a b c"], &["a", "a c", "b a", ""]),
            ("a", &["a", "a\n"], &["a b", ""]),
        ],
    );
    table(Comparator::FirstTokens(0), &[("a", &["", "b"], &[])]);
}

/// Lines as `re.split(b'[\r\n]')` makes them, without empty ones.
fn filled_lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split(|byte| matches!(byte, b'\r' | b'\n')).filter(|line| !line.is_empty()).collect()
}

fn split(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split(|byte| is_space(*byte)).filter(|token| !token.is_empty()).collect()
}

fn right_stripped(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| !is_space(*byte)).map_or(0, |last| last + 1);
    &line[..end]
}

/// Tokens, each with whether a line ended before it.
fn with_line_ends(bytes: &[u8]) -> Vec<(bool, &[u8])> {
    let (mut tokens, mut line_ended, mut at) = (Vec::new(), false, 0);
    while at < bytes.len() {
        if is_space(bytes[at]) {
            line_ended |= matches!(bytes[at], b'\r' | b'\n');
            at += 1;
            continue;
        }
        let end =
            bytes[at..].iter().position(|byte| is_space(*byte)).map_or(bytes.len(), |length| at + length);
        tokens.push((line_ended && !tokens.is_empty(), &bytes[at..end]));
        (at, line_ended) = (end, false);
    }
    tokens
}

fn naive(checker: DmojChecker, output: &[u8], answer: &[u8]) -> bool {
    match checker {
        DmojChecker::Standard => with_line_ends(output) == with_line_ends(answer),
        DmojChecker::Rstripped { filter_new_line: true } => {
            let lines = |bytes| filled_lines(bytes).into_iter().map(right_stripped).collect::<Vec<_>>();
            lines(output) == lines(answer)
        }
        DmojChecker::Rstripped { filter_new_line: false } => {
            let lines = |bytes: &[u8]| -> Vec<Vec<u8>> {
                let pieces = bytes.split(|byte| matches!(byte, b'\r' | b'\n'));
                pieces.map(|line| right_stripped(line).to_vec()).collect()
            };
            lines(output) == lines(answer)
        }
        DmojChecker::SortedLines => {
            let lines = |bytes| {
                let mut lines: Vec<_> = filled_lines(bytes).into_iter().map(split).collect();
                lines.sort();
                lines
            };
            lines(output) == lines(answer)
        }
        DmojChecker::SortedTokens => {
            let tokens = |bytes| {
                let mut tokens = split(bytes);
                tokens.sort_unstable();
                tokens
            };
            tokens(output) == tokens(answer)
        }
        DmojChecker::Linecount => {
            let lines = |bytes| {
                let lines = filled_lines(bytes).into_iter();
                lines.map(|line| right_stripped(line.trim_ascii_start()).to_vec()).collect::<Vec<_>>()
            };
            lines(output) == lines(answer)
        }
        other => panic!("{other:?} has no naive version"),
    }
}

/// Texts of pieces that matter, and a second one that often is nearly the same.
fn pairs() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let piece = prop::sample::select(vec![
        "a", "b", "ab", " ", "  ", "\t", "\n", "\r\n", "\n\n", "\r", "1", "-0", "\u{c}",
    ]);
    let other = piece.clone();
    prop::collection::vec((piece, other, prop::bool::weighted(0.1)), 0..24).prop_map(|pieces| {
        let text = |changed: bool| {
            let pick = |(own, other, differs): &(&'static str, &'static str, bool)| {
                if changed && *differs { *other } else { *own }
            };
            pieces.iter().map(pick).collect::<String>().into_bytes()
        };
        (text(true), text(false))
    })
}

proptest! {
    #[test]
    fn dmoj_checkers_agree_with_naive_ones((output, answer) in pairs()) {
        for checker in [
            DmojChecker::Standard,
            DmojChecker::Rstripped { filter_new_line: false },
            DmojChecker::Rstripped { filter_new_line: true },
            DmojChecker::SortedLines,
            DmojChecker::SortedTokens,
            DmojChecker::Linecount,
        ] {
            let said = says(Comparator::Dmoj(checker), &output, &answer);
            prop_assert_eq!(said == "ok", naive(checker, &output, &answer), "{:?}: {}", checker, said);
        }
    }

    #[test]
    fn what_equals_the_answer_is_right_and_nothing_panics((output, answer) in pairs(), bytes: Vec<u8>) {
        let families = ["acmp", "caseicmp", "casencmp", "casewcmp", "dcmp", "fcmp", "hcmp", "icmp", "lcmp", "ncmp", "nyesno",
            "rcmp", "rcmp4", "rncmp", "uncmp", "wcmp", "yesno"].map(testlib);
        let floats = Comparator::Dmoj(DmojChecker::Floats { precision: 6, mode: FloatMode::Default });
        for comparator in families.into_iter().chain([floats, Comparator::Dmoj(DmojChecker::Easy), Comparator::FirstTokens(3)]) {
            says(comparator, &output, &answer);
            says(comparator, &bytes, &answer);
            says(comparator, &answer, &bytes);
            let same = says(comparator, &answer, &answer);
            let single = matches!(comparator, Comparator::Testlib(TestlibChecker::Icmp | TestlibChecker::Acmp
                | TestlibChecker::Rcmp | TestlibChecker::Dcmp | TestlibChecker::Yesno));
            // Single values refuse outputs with more than one, also where the answer has more.
            prop_assert!(same == "ok" || same == "broken" || single, "{:?}: {}", comparator, same);
        }
    }
}
