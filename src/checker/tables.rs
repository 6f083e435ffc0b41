//! The corner cases of the token comparison, as tables.

use crate::checker::{Comparator, Comparison, compare};

/// The message, or "" when accepted.
fn verdict(flags: &str, answer: &str, output: &str) -> String {
    let comparator = Comparator::from_validator_flags(flags).unwrap();
    match compare(comparator, &mut output.as_bytes(), &mut answer.as_bytes()).unwrap() {
        Comparison::Accepted => String::new(),
        Comparison::Wrong { message } => message,
        other => panic!("{other:?}"),
    }
}

/// Each row: flags, the answer, outputs that are right, outputs that are wrong.
fn table(rows: &[(&str, &str, &[&str], &[&str])]) {
    for (flags, answer, right, wrong) in rows {
        for output in *right {
            assert_eq!(verdict(flags, answer, output), "", "[{flags}] {answer:?} {output:?}");
        }
        for output in *wrong {
            assert_ne!(verdict(flags, answer, output), "", "[{flags}] {answer:?} {output:?}");
        }
    }
}

#[test]
fn white_space_only_separates() {
    table(&[
        (
            "",
            "",
            &["", " ", "\n", " \t\r\n\x0b\x0c"],
            &["x", "0", "\0", " . ", "\u{a0}", "\u{85}", "\u{feff}"],
        ),
        ("", " \n", &["", "\n\n"], &["x"]),
        (
            "",
            "a b\n",
            &["a b", "a\nb", "\n\n a\t\x0bb\r\n \x0c", "a  b"],
            &["ab", "a", "a b c", "b a", "", " "],
        ),
        ("", "a\u{a0}b", &["a\u{a0}b"], &["a b", "a\u{a0}\nb"]),
        ("", "-1 -1", &["-1\n-1"], &["-1-1", "-1 - 1"]),
    ]);
}

#[test]
fn white_space_may_be_made_to_matter() {
    let flags = "space_change_sensitive";
    table(&[
        (flags, "", &[""], &[" ", "\n", "x"]),
        (flags, "\n", &["\n"], &["", "\n\n", " \n", "\r\n"]),
        (
            flags,
            "a b\n",
            &["a b\n", "A B\n"],
            &["a  b\n", "a\tb\n", "a b", " a b\n", "a b \n", "a b\r\n", "a b\nc"],
        ),
        (flags, "a  b", &["a  b"], &["a b", "a  b\n", "a   b"]),
        (
            "space_change_sensitive float_tolerance 0.5",
            "1 2\n",
            &["1.4 2.1\n"],
            &["1.4  2\n", "1.4 2.1", "1.4 9\n"],
        ),
    ]);
}

#[test]
fn only_ascii_letters_fold() {
    table(&[
        ("", "Yes NO", &["yes no", "YES No"], &["yes n0", "ye s no"]),
        ("case_sensitive", "Yes NO", &["Yes NO", "Yes\nNO "], &["yes NO", "YES NO"]),
        ("", "É", &["É"], &["é", "E"]),
        ("", "[{@`", &["[{@`"], &["{{@`", "[{``", "[[@`"]),
        ("", "K", &["k"], &["\u{212a}"]),
    ]);
}

#[test]
fn without_a_tolerance_numbers_are_text() {
    table(&[
        ("", "0", &["0"], &["-0", "+0", "0.0", "00", "0x0", "0e0", "zero"]),
        (
            "",
            "18446744073709551616",
            &["18446744073709551616"],
            &["18446744073709551617", "1.8446744073709551616e19"],
        ),
        ("", "1E5", &["1e5"], &["100000"]),
    ]);
}

#[test]
fn with_a_tolerance_every_spelling_of_a_number_counts() {
    table(&[
        (
            "float_tolerance 0",
            "100",
            &["100", "+100", "1e2", "1.E+02", ".1e3", "0100", "100.000", "1000000e-4"],
            &[
                "100x", "1e3", "1e2.", "1_00", "100e", "100e+", "--100", "1e", "", "0x", "0x64", "100,0",
                "100.0.0", "100\0",
            ],
        ),
        (
            "float_tolerance 0",
            "0",
            &["0", "-0", "+0", ".0", "0.", "00", "0e1", "-00.e-1"],
            &[
                "1e-300",
                "1e-400",
                "1e-4000",
                "-1e-20000",
                "0x0",
                "0x0p0",
                ".",
                "-",
                "+.",
                ".e1",
                "0e",
                "inf",
                "nan",
                "e0",
                "0\0",
            ],
        ),
        // The nearest double is the same; without a tolerance these differ.
        (
            "float_tolerance 0",
            "18446744073709551616",
            &["18446744073709551617", "1.8446744073709551616e19"],
            &["18446744073709555713"],
        ),
    ]);
}

#[test]
fn tolerances_include_their_edge_and_either_is_enough() {
    table(&[
        (
            "float_absolute_tolerance 2",
            "40 7",
            &["40 7", "38 9", "4.2E1 .5e1"],
            &["37.99999 7", "40 9.0000001"],
        ),
        ("float_absolute_tolerance 1", "1000000", &["999999", "1000001"], &["999998.9"]),
        (
            "float_relative_tolerance 0.25",
            "16 80",
            &["12 100", "20 60"],
            &["11.999 80", "16 100.0001", "16 x"],
        ),
        ("float_relative_tolerance 0.5", "-8", &["-4", "-12"], &["4", "-3.99", "-12.1"]),
        ("float_relative_tolerance 0.5", "0", &["0", "-0.0"], &["1e-300", "1e-400"]),
        (
            "float_tolerance 0.5",
            "64 0.25",
            &["32 -0.25", "96 0.75"],
            &["31 0.25", "64 0.7500001", "64 0.25 1"],
        ),
        (
            "float_absolute_tolerance 0.25 float_relative_tolerance 0.5",
            "0.25 100",
            &["0 149", "0.5 50"],
            &["0.51 100"],
        ),
        ("float_tolerance 1", "1e308", &["-0", "1.5e308"], &["-1e308"]),
    ]);
}

#[test]
fn infinity_and_nan_are_text() {
    table(&[
        (
            "float_tolerance 0.5",
            "inf",
            &["inf", "INF"],
            &["infinity", "-inf", "+inf", "nan", "1e999", "0", "1e308"],
        ),
        ("float_tolerance 0.5 case_sensitive", "nan", &["nan"], &["NaN", "-nan", "inf", "0"]),
        ("float_tolerance 0.5", "1e999", &["1e999", "1E999"], &["1e998", "inf", "10e998"]),
        ("float_tolerance 0.5", "1", &["1"], &["inf", "-inf", "nan", "-nan", "1e999"]),
    ]);
}

#[test]
fn numbers_and_words_mix() {
    table(&[
        ("float_tolerance 0.5", "sum 30", &["SUM 31", " sum\n29.5"], &["sum 30m", "30 sum", "sum sum"]),
        ("float_tolerance 0.5", "30kg", &["30KG"], &["30.0kg", "30", "30kb"]),
        ("float_tolerance 0.5", "1e", &["1E"], &["1", "1.0e"]),
        ("float_tolerance 0.5 case_sensitive", "x 1E1", &["x 1e1", "x 10"], &["X 10"]),
        ("", "a\0b", &["a\0b", "A\0B"], &["a", "a\0c", "a\0", "ab"]),
    ]);
}

#[test]
fn messages_say_where_and_what() {
    for (flags, answer, output, message) in [
        ("", "1 2\n3 4\n", "1 2\n3 5\n", r#"line 2, column 3: expected "4", got "5""#),
        (
            "",
            "1 2\n3 4\n",
            "1 2 3\n\n7",
            r#"line 3, column 1 (line 2, column 3 of the answer): expected "4", got "7""#,
        ),
        ("", "a", "", r#"output is empty: expected "a" (line 1, column 1 of the answer)"#),
        (
            "",
            "a b",
            "a\n\n",
            r#"output ends at line 3, column 1: expected "b" (line 1, column 3 of the answer)"#,
        ),
        ("", "a\n", "a\nb c\n", r#"line 2, column 1: trailing output "b" after the answer's end"#),
        ("", "a", "a\0\x1b[31m\u{202e}", r#"line 1, column 1: expected "a", got "a\0\u{1b}[31m\u{202e}""#),
        ("float_tolerance 1e-6", "1.0", "x", r#"line 1, column 1: expected the number "1.0", got "x""#),
        (
            "float_tolerance 1e-6",
            "1.0",
            "1.5",
            r#"line 1, column 1: expected "1.0", got "1.5": differs by 5e-1, allowed 1e-6 absolute or 1e-6 relative"#,
        ),
        (
            "space_change_sensitive",
            "a b",
            "a\tb",
            r#"line 1, column 2: white space differs: expected a space, got "\t""#,
        ),
        (
            "space_change_sensitive",
            "a\n",
            "a",
            r#"line 1, column 2: white space differs: expected "\n", got the end"#,
        ),
        (
            "space_change_sensitive",
            "a",
            "a\n",
            r#"line 1, column 2: white space differs: expected the end, got "\n""#,
        ),
        (
            "space_change_sensitive",
            "a",
            " a",
            r#"line 1, column 1: white space differs: expected "a", got a space"#,
        ),
    ] {
        assert_eq!(verdict(flags, answer, output), message);
    }
}
