//! Tests scripts and inputs against the results of checktestdata, and properties of both.

use std::cell::Cell;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn bounds(should_stop: &dyn Fn() -> bool) -> Bounds<'_> {
    Bounds { time: Duration::from_secs(20), memory: 16 << 20, should_stop }
}

fn check(script: &str, input: &[u8]) -> Result<Answer, CheckError> {
    let mut source = input;
    Script::parse(script.as_bytes())?.check(&mut source, bounds(&|| false))
}

fn accepts(script: &str, input: &str) {
    match check(script, input.as_bytes()) {
        Ok(Answer::Valid) => {}
        other => panic!("{script} on {input:.80?}: {other:?}"),
    }
}

fn refuses(script: &str, input: &str) -> Mismatch {
    match check(script, input.as_bytes()) {
        Ok(Answer::Invalid(mismatch)) => mismatch,
        other => panic!("{script} on {input:.80?}: {other:?}"),
    }
}

fn fails(script: &str, input: &str) -> String {
    match check(script, input.as_bytes()) {
        Err(error) => error.to_string(),
        other => panic!("{script} on {input:.80?}: {other:?}"),
    }
}

#[test]
fn a_whole_script_checks_a_whole_input() {
    let script = r#"
        # Cases of points, none twice.
        SET(most=10^9)
        INT(1,100,cases) NEWLINE
        REPI(case,cases)
            INT(1,most,n) NEWLINE
            REPI(i,n,NEWLINE)
                INT(-most,most,x[i]) SPACE FLOAT(0,1,y[i],FIXED)
            END
            NEWLINE
            ASSERT(UNIQUE(x,y))
            UNSET(x,y)
        END
    "#;
    accepts(script, "2\n2\n1 0.5\n1 0.25\n1\n-1000000000 1\n");
    let mismatch = refuses(script, "2\n2\n1 0.5\n1 0.50\n1\n1 1\n");
    assert_eq!((mismatch.input.line, mismatch.script.line), (5, 11));
    assert_eq!(mismatch.message, "ASSERT: (1, 0.5) occurs more than once");
    let mismatch = refuses(script, "2\n2\n1 0.5\n1000000001 0.25\n");
    assert_eq!(
        mismatch.to_string(),
        "line 4, column 1: INT: 1000000001 is not in [-1000000000, 1000000000] (script line 8, column 17)"
    );
    let mismatch = refuses(script, "1\n1\n1 0.5\n\n");
    assert_eq!(
        mismatch.to_string(),
        "line 4, column 1: the end of the script: expected the end of the input, found a newline (script line 12, column 13)"
    );
}

#[test]
fn white_space_is_exact() {
    accepts("SPACENEWLINE", " \n");
    refuses("SPACE", "\t");
    refuses("SPACE", "");
    refuses("NEWLINE", "\r\n");
    refuses("NEWLINE", "");
    refuses("", "\n");
    accepts("", "");
    assert_eq!(refuses("STRING(\"ab\")NEWLINE", "ab\r\n").input, Position { line: 1, column: 3 });
    refuses("INT(1,2) EOF NEWLINE", "1\n");
    accepts("INT(1,2) NEWLINE EOF EOF", "1\n");
}

#[test]
fn integers_have_one_spelling() {
    for right in ["0", "7", "-7", "10"] {
        accepts("INT(-10,10)", right);
    }
    for wrong in ["", "-", "-0", "07", "00", "+7", "11", "-11", "1.0", "1e0", " 1", "-00", "a"] {
        refuses("INT(-10,10)", wrong);
    }
    let long = "9".repeat(200_000);
    refuses("INT(0,10^1000)", &long);
    refuses("INT(-10^1000,0)", &format!("-{long}"));
    accepts("INT(0,10^40,x) ASSERT(x==10^40-1)", &"9".repeat(40));
    accepts(
        "INT(-9223372036854775808,9223372036854775807,x) ASSERT(x-1==-9223372036854775809)",
        "-9223372036854775808",
    );
}

#[test]
fn decimal_numbers_are_exact_and_may_be_of_any_size() {
    for right in [
        "0",
        "-0",
        "0.5",
        "1",
        "1.0",
        "1e0",
        "5E-1",
        "10e-1",
        "0.0000e5",
        "1e-99999999999999999999",
        "0e999999999999999999999",
    ] {
        accepts("FLOAT(0,1)", right);
    }
    for wrong in [
        "",
        "-",
        ".5",
        "1.",
        "00.5",
        "1.5",
        "1e1",
        "1e",
        "1e+",
        "1e01",
        "+1",
        "-0.1",
        "1e99999999999999999999",
        "-1e-99999999999999999999",
        "1.00000000000000000000000000000000000000000000000001",
        "nan",
        "0x1",
    ] {
        refuses("FLOAT(0,1)", wrong);
    }
    accepts("FLOAT(0,1,x) ASSERT(x*10==3)", "0.3");
    accepts("ASSERT(1.0/3*3==1)", "");
    accepts("FLOAT(-1E100000,1E100000,x) ASSERT(x==1.5 && x>1E-100000)", "1.5");
    refuses("FLOAT(-1E100000,1E100000,x)", "-1.5E100000");
    accepts("FLOAT(0,9,x,FIXED) STRING(\"e0\")", "5e0");
    refuses("FLOAT(0,9,x,FIXED)", "5e0");
    refuses("FLOAT(0,9,x,SCIENTIFIC)", "5");
    accepts("FLOAT(0,99,x,SCIENTIFIC) ASSERT(x==50)", "0.5e+2");
    let long = format!("0.{}1", "0".repeat(200_000));
    accepts("FLOAT(0,1)", &long);
    refuses("FLOAT(1,2)", &long);
    assert!(fails("FLOAT(0,1,x)", &long).contains("more digits"), "it cannot be kept");
}

#[test]
fn floatp_counts_decimals() {
    accepts("FLOATP(0,1,1,3)", "0.1");
    accepts("FLOATP(0,1,1,3)", "0.123");
    refuses("FLOATP(0,9,0,3)", "1e0");
    accepts("FLOATP(0,99,1,3,x,SCIENTIFIC) ASSERT(x==15)", "1.5e1");
    for wrong in ["0.1234", "1", "0.5e0", "10.5e0"] {
        refuses("FLOATP(0,99,1,3)", wrong);
    }
    assert!(fails("FLOATP(0,1,3,1)", "0.5").contains("at least 3 and at most 1"));
    assert!(fails("FLOATP(0,1,-1,1)", "0.5").contains("number of decimals"));
}

#[test]
fn operators_bind_as_in_checktestdata() {
    for holds in [
        "2^3^2==64",
        "-2^2==-4",
        "-7/2==-3 && -7%2==-1",
        "7.0/2==3.5",
        "2+3*4==14 && (2+3)*4==20",
        "!0==1 && 1==0",
        "(1+1)*2==4 && (2==2)",
        "((1==1) && (((2))<3))",
        "!(1==0)",
        "\"a\"<\"b\" && \"a\"<\"aa\" && \"Z\"<\"a\"",
        "STRLEN(\"a\\n\\101\\\\\\q\")==6",
        "10^20>10^19/1.0 && 1==1.0",
        "1e2==100 && 1.5E-1==0.15 && 2.==2",
        "1-1-1==-1 && 8/2/2==2",
        "5--5==10",
    ] {
        accepts(&format!("ASSERT({holds})"), "");
    }
    // Both have one precedence, from the left.
    refuses("ASSERT(1==1 || 1==1 && 1==0)", "");
}

#[test]
fn loops_count_and_separate() {
    accepts("REP(3,SPACE) INT(0,9) END", "1 2 3");
    refuses("REP(3,SPACE) INT(0,9) END", "1 2 3 ");
    accepts("REP(0) INT(0,9) END", "");
    accepts("REPI(i,3,STRING(\", \")) INT(i,i) END ASSERT(i==3)", "0, 1, 2");
    accepts("WHILE(!ISEOF) REGEX(\"[a-z]*\") NEWLINE END", "a\n\nb\n");
    accepts("WHILEI(i,!MATCH(\"x\"),SPACE) INT(0,9) END ASSERT(i==2) STRING(\"x\")", "1 2x");
    refuses("WHILEI(i,MATCH(\"0123456789\"),SPACE) INT(0,9) END", "1 2");
    accepts(
        "REP(2) REP(2) IF(MATCH(\"a\")) STRING(\"a\") ELSE STRING(\"b\") END END NEWLINE END",
        "ab\nba\n",
    );
    accepts("WHILEI(a[1,2],a[1,2]<2) STRING(\"x\") END", "xx");
}

#[test]
fn arrays_are_searched_by_value() {
    accepts(
        "REPI(i,3,SPACE) INT(0,9,a[i]) END ASSERT(INARRAY(2,a)) ASSERT(!INARRAY(4,a)) ASSERT(INARRAY(2.0,a))",
        "1 2 3",
    );
    accepts("SET(a[0]=1) ASSERT(INARRAY(1,a)) SET(a[0]=2) ASSERT(!INARRAY(1,a)) ASSERT(INARRAY(2,a))", "");
    accepts("SET(a[1,2]=1, a[2,1]=2, b=3) UNSET(a) SET(a[1]=1) ASSERT(UNIQUE(a))", "");
    assert!(refuses("SET(a[1]=1,b[2]=1) IF(UNIQUE(a,b)) END", "").message.contains("different indices"));
    assert!(
        refuses("SET(a[1]=1,b[2]=1,b[3]=1) IF(UNIQUE(a,b)) END", "").message.contains("different indices")
    );
    assert_eq!(
        refuses("SET(a[1]=1,a[2]=1.0) ASSERT(UNIQUE(a))", "").message,
        "ASSERT: (1) occurs more than once"
    );
    accepts("REGEX(\"a+\",s) SPACE STRING(s) ASSERT(STRLEN(s)==2)", "aa aa");
}

#[test]
fn errors_of_a_script_name_their_place() {
    for (script, part) in [
        ("INT(1,2", "line 1, column 8: expected ')', found the end of the script"),
        ("\n  FOO", "line 2, column 3: unexpected 'FOO'"),
        ("REP(3) SPACE", "expected 'END'"),
        ("END", "line 1, column 1: expected a command, found 'END'"),
        ("IF(1==1) ELSE ELSE END", "expected 'END', found 'ELSE'"),
        ("ASSERT(1)", "expected a comparison"),
        ("ASSERT((1==1)+1==2)", "not a value"),
        ("SET(x=(1==1))", "found a test"),
        ("STRING(\"a", "no closing"),
        ("STRING(\"\\777\")", "octal"),
        ("INT(08,9)", "leading zeros"),
        ("REP(3,REP(2))  END", "expected a command, found 'REP'"),
        ("FLOAT(0,1,x,y)", "FIXED or SCIENTIFIC"),
        ("REGEX(\"\\\\d\")", "'\\d'"),
        ("ASSERT(x==1)", "the variable 'x' is not set"),
        ("SET(x[1]=1) ASSERT(x[1+1]==1)", "line 1, column 20: the variable 'x[2]' is not set"),
        ("ASSERT(UNIQUE(x))", "the variable 'x' is not set"),
        ("ASSERT(1/0==1)", "division by zero"),
        ("ASSERT(1.0/0==1)", "division by zero"),
        ("ASSERT(1%0==1)", "division by zero"),
        ("ASSERT(1.5%1==1)", "needs integers"),
        ("ASSERT(1==\"1\")", "cannot be compared"),
        ("SET(x=\"a\"+1)", "needs numbers"),
        ("SET(x=-\"a\")", "needs numbers"),
        ("SET(x=2^-1)", "exponent"),
        ("SET(x[1.0]=1)", "is not an integer"),
        ("INT(0,5.0)", "is not an integer"),
        ("STRING(1)", "is not a string"),
        ("REP(0-1) END", "-1 is not a number of repetitions"),
    ] {
        let error = fails(script, "");
        assert!(error.contains(part), "{script}: {error}");
    }
}

#[test]
fn no_script_runs_without_bounds() {
    let nested = format!("{}1==1{}", "(".repeat(100_000), ")".repeat(100_000));
    let chain = format!("ASSERT({}0==0)", "1+".repeat(100_000));
    let tests = format!("ASSERT({}0==0)", "0==0&&".repeat(100_000));
    let minus = format!("ASSERT({}0==0)", "-".repeat(100_000));
    let nots = format!("ASSERT({}0==0)", "!".repeat(100_000));
    let blocks = "REP(1)".repeat(100_000);
    let indices = format!("SET({}0{}=1)", "a[".repeat(100_000), "]".repeat(100_000));
    for deep in [format!("ASSERT({nested})"), chain, tests, minus, nots, blocks, indices] {
        let error = fails(&deep, "");
        assert!(error.contains("nested deeper") || error.contains("operators"), "{error}");
    }
    for large in [
        "SET(x=9^(9^9))",
        "SET(x=1.5^999999)",
        "SET(x=1E100000*1E100000)",
        "SET(x=2) WHILE(1==1) SET(x=x*x) END",
    ] {
        assert!(fails(large, "").contains("more digits"), "{large}");
    }
    let memory = "WHILEI(i,1==1) SET(a[i]=\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\") END";
    assert!(fails(memory, "").contains("more memory"));
    let endless = Script::parse(b"WHILE(1==1) END").unwrap();
    let asked = Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() > 3
    };
    let stopped = endless.check(&mut std::io::empty(), bounds(&stop));
    assert!(matches!(stopped, Err(CheckError::Stopped)), "{stopped:?}");
    let none = Bounds { time: Duration::ZERO, ..bounds(&|| false) };
    let late = endless.check(&mut std::io::empty(), none).unwrap_err();
    assert!(late.to_string().contains("more CPU time"), "{late}");
    let endless = Script::parse(b"REGEX(\".*\")").unwrap();
    let asked = Cell::new(0);
    let late = endless
        .check(
            &mut std::io::repeat(b'a'),
            bounds(&|| {
                asked.set(asked.get() + 1);
                false
            }),
        )
        .unwrap_err();
    assert!(late.to_string().contains("more memory"), "{late}");
}

/// A script that sets `x` and `y` to quotients of neighbouring Fibonacci numbers: the longest continued fractions there are
/// for their size.
fn long_continued_fractions() -> String {
    let step = "SET(t=a+b) SET(a=b) SET(b=t)";
    format!(
        "SET(a=1,b=1) REP(20000) {step} END SET(c=a,d=b) REP(2) {step} END SET(x=1.0*b/a,y=1.0*d/c) ASSERT(x!=0)"
    )
}

#[test]
fn fractions_of_any_shape_are_compared_hashed_and_shown() {
    let numbers = long_continued_fractions();
    accepts(&format!("{numbers} ASSERT(x!=y && x-y<1 && y-x<1 && -x<y && -x!=-y && x==x)"), "");
    accepts(
        &format!(
            "{numbers} SET(v[0]=x,v[1]=y,v[2]=1) ASSERT(UNIQUE(v)) ASSERT(INARRAY(y,v)) ASSERT(!INARRAY(-x,v))"
        ),
        "",
    );
    assert!(
        refuses(&format!("{numbers} SET(v[0]=x,v[1]=x) ASSERT(UNIQUE(v))"), "").message.contains("1.618")
    );
    assert!(refuses(&format!("{numbers} FLOAT(x,9)"), "1.5").message.contains("1.5 is not in [1.618"));
}

/// How often a check asks whether to stop.
fn asked(script: &str, input: &str) -> u32 {
    let asked = Cell::new(0);
    let count = || {
        asked.set(asked.get() + 1);
        false
    };
    let bounds = Bounds { time: Duration::MAX, ..bounds(&count) };
    let answer = Script::parse(script.as_bytes()).unwrap().check(&mut input.as_bytes(), bounds).unwrap();
    assert_eq!(answer, Answer::Valid, "{script}");
    asked.get()
}

#[test]
fn large_work_never_begins_without_asking_whether_to_stop() {
    let numbers = long_continued_fractions().replace("20000", "6000");
    let long = format!("{} ", "7".repeat(20_000));
    for (before, command, input) in [
        (numbers.as_str(), "SET(z=x+y)", ""),
        (&numbers, "SET(z=x-y)", ""),
        (&numbers, "SET(z=x*y)", ""),
        (&numbers, "SET(z=x/y)", ""),
        (&numbers, "SET(z=x^7)", ""),
        ("SET(x=1E18000,y=x+1)", "ASSERT(x!=y)", ""),
        ("SET(x=2^100000)", "SET(z=x*x)", ""),
        ("SET(x=2^130000,y=2^60000+1)", "SET(z=x%y)", ""),
        ("", "SET(z=3^100000)", ""),
        ("", "FLOAT(0,1) SPACE", "1E-100000 "),
        ("SET(m=10^50000)", "INT(0,m) SPACE", &long),
        ("", "REGEX(\"(a{0,1000}){0,40}\") SPACE", "aaaaaaaa "),
    ] {
        let times =
            |count: usize| asked(&format!("{before} REP({count}) {command} END"), &input.repeat(count));
        assert!(times(6) >= times(1) + 5, "{before} {command}");
    }
    let patterns: String = (1..=20).map(|number| format!("REGEX(\"a{{0,{number}}}\")")).collect();
    assert!(asked(&patterns, "") >= 20);
}

#[test]
fn the_numbers_of_a_script_are_bounded_as_a_whole() {
    let many = |number: &str, count| format!("SET({})", vec![format!("x={number}"); count].join(","));
    assert!(fails(&many("1E100000", 1000), "").contains("8 MiB"));
    accepts(&many("1E100000", 10), "");
    accepts(&many("0E100000", 10_000), "");
    accepts(&many("1E9", 10_000), "");
}

#[test]
fn an_input_is_read_as_a_stream() {
    /// A byte at a time, interrupted now and then.
    struct Dripping<'a>(&'a [u8], bool);
    impl Read for Dripping<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(std::io::ErrorKind::Interrupted.into());
            }
            let length = self.0.len().min(1).min(buffer.len());
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }
    let script = Script::parse(b"WHILE(!ISEOF) REGEX(\"[a-z]+\", s) SPACE STRING(s) NEWLINE END").unwrap();
    let text = b"abc abc\nx x\n".repeat(1000);
    let answer = script.check(&mut Dripping(&text, false), bounds(&|| false)).unwrap();
    assert_eq!(answer, Answer::Valid);
}

/// Pieces that make scripts, right ones and wrong ones.
fn script() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "SPACE",
        "NEWLINE",
        "EOF",
        "INT(0,9)",
        "INT(0,x,x)",
        "INT(",
        "FLOAT(0,9,y)",
        "FLOATP(0,9,1,2,y,FIXED)",
        "REGEX(\"[a-z]*\",s)",
        "REGEX(\".*\")",
        "REGEX(s)",
        "STRING(s)",
        "ASSERT(x<9)",
        "ASSERT(UNIQUE(a,b))",
        "SET(x=x+1)",
        "SET(x=x*x)",
        "SET(a[x]=y,b[x]=s)",
        "SET(x=1)",
        "SET(s=\"a\\\\b[c\")",
        "UNSET(a)",
        "REP(3,SPACE)",
        "REPI(i,x)",
        "WHILE(!ISEOF)",
        "WHILEI(i,i<x,NEWLINE)",
        "IF(MATCH(\"1\"))",
        "ELSE",
        "END",
        "END",
        "(",
        ")",
        "^",
        "-",
        "\"",
        "INARRAY",
        "#",
        "1e9",
        "]",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #[test]
    fn any_bytes_are_a_script_or_an_error(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Script::parse(&text);
    }

    #[test]
    fn any_script_ends_on_any_input(script in script(), input in prop::collection::vec(prop::sample::select(b" \n0123456789-.eEabc\0\xff".to_vec()), 0..60)) {
        if let Ok(script) = Script::parse(script.as_bytes()) {
            let steps = Cell::new(0);
            let stop = || { steps.set(steps.get() + 1); steps.get() > 20 };
            let _ = script.check(&mut &*input, Bounds { memory: 1 << 20, ..bounds(&stop) });
        }
    }

    #[test]
    fn integers_are_in_range_exactly_when_they_are(value: i64, min: i64, max: i64) {
        let answer = check(&format!("INT({min},{max})"), value.to_string().as_bytes()).unwrap();
        prop_assert_eq!(answer == Answer::Valid, min <= value && value <= max);
        let answer = check(&format!("FLOAT({min},{max})"), value.to_string().as_bytes()).unwrap();
        prop_assert_eq!(answer == Answer::Valid, min <= value && value <= max);
    }

    #[test]
    fn fractions_compare_as_their_products(a: i64, b in 1_i64.., c: i64, d in 1_i64..) {
        let (left, right) = (i128::from(a) * i128::from(d), i128::from(c) * i128::from(b));
        let comparison = if left < right { "<" } else if left > right { ">" } else { "==" };
        let script = format!("ASSERT(1.0*{a}/{b} {comparison} 1.0*{c}/{d}) ASSERT(1.0*{a}/{b} == 2.0*{a}/{b}/2)");
        prop_assert_eq!(check(&script, b"").unwrap(), Answer::Valid);
    }

    #[test]
    fn sums_and_products_of_fractions_are_exact(a: i16, b in 1_i16.., c: i16, d in 1_i16..) {
        let (a, b, c, d) = (i64::from(a), i64::from(b), i64::from(c), i64::from(d));
        let script = format!(
            "SET(x=1.0*{a}/{b},y=1.0*{c}/{d},s={}.0/{},z[0]=x+y) ASSERT(x+y==s && INARRAY(s,z))              ASSERT(x-y=={}.0/{}) ASSERT(x*y=={}.0/{}) SET(z[0]=x) ASSERT(INARRAY(x+y-y,z))              IF(y!=0) ASSERT(x/y*y==x && INARRAY(x/y*y,z)) END",
            a * d + c * b, b * d, a * d - c * b, b * d, a * c, b * d
        );
        prop_assert_eq!(check(&script, b"").unwrap(), Answer::Valid);
    }

    #[test]
    fn decimals_are_reduced(digits in 0..=100_000_000_u64, places in 0..=9_usize, zeros in 0..=20_usize) {
        let number = format!("{:09}", digits);
        let (whole, decimals) = number.split_at(9 - places);
        let whole = whole.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        let input = if places == 0 { whole.to_owned() } else { format!("{whole}.{decimals}{}", "0".repeat(zeros)) };
        let script = format!("FLOAT(0,10^9,x) ASSERT(x*10^{places}=={digits}) SET(v=1.0*{digits}/10^{places}) ASSERT(INARRAY(x,v))");
        prop_assert_eq!(check(&script, input.as_bytes()).unwrap(), Answer::Valid);
    }

    #[test]
    fn arithmetic_is_that_of_wide_integers(a: i64, b: i64, c in 1_i64..) {
        let (x, y, z) = (i128::from(a), i128::from(b), i128::from(c));
        let script = format!(
            "ASSERT({a}+{b}=={}) ASSERT({a}-{b}=={}) ASSERT({a}*{b}=={}) ASSERT({a}/{c}=={}) ASSERT({a}%{c}=={})",
            x + y, x - y, x * y, x / z, x % z
        );
        prop_assert_eq!(check(&script, b"").unwrap(), Answer::Valid);
    }

    #[test]
    fn a_spoilt_input_is_refused(values in prop::collection::vec(-99_i64..=99, 1..8), place: prop::sample::Index, byte in prop::sample::select(b"x \n-".to_vec())) {
        let script = "INT(1,8,n) NEWLINE REP(n,SPACE) INT(-99,99) END NEWLINE";
        let line = values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let input = format!("{}\n{line}\n", values.len()).into_bytes();
        prop_assert_eq!(check(script, &input).unwrap(), Answer::Valid);
        let mut spoilt = input.clone();
        spoilt.insert(place.index(input.len() + 1), byte);
        if byte != b'-' {
            let refused = matches!(check(script, &spoilt), Ok(Answer::Invalid(_)));
            prop_assert!(refused);
        }
    }
}
