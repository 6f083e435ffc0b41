//! testlib's own checkers, by their names (<https://github.com/MikeMirzayanov/testlib>, `checkers/`).
//!
//! They accept and reject what those accept and reject, presentation errors being wrong answers. An answer of the jury's
//! that the checker would refuse is [`Comparison::BrokenAnswer`], as it is `_fail` there. Since testlib reads integers in
//! one spelling only (no plus, no zeros in front, no `-0`), equal integers are equal text. Three corners are left out: a
//! byte 255, which ends a stream there, is a byte here; a carriage return that ends no line is white space; and a number
//! beyond the range of `double` is no number. A byte order mark at the start of the output is passed over, as testlib does
//! since 2022; one in the answer is not.

use std::collections::HashMap;
use std::io;

use super::comparator::{Comparison, TokenOptions};
use super::message;
use super::source::Source;
use super::tokens::{self, Rules, Spaces};
use super::words::{
    Event, Word, Words, broken_answer, differ, enough_for, is_space, is_testlib_blank, missing, trailing,
};

/// One of testlib's checkers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TestlibChecker {
    /// Two doubles, absolute error at most 1.5E-6.
    Acmp,
    /// `Case k: N` for every case: one 64-bit integer each.
    Caseicmp,
    /// `Case k: N N N` for every case: 64-bit integers.
    Casencmp,
    /// `Case k: token token` for every case.
    Casewcmp,
    /// Two doubles, absolute or relative error at most 1E-6.
    Dcmp,
    /// Lines, white space counting.
    Fcmp,
    /// One integer of any length.
    Hcmp,
    /// One 32-bit integer.
    Icmp,
    /// Lines as sequences of tokens.
    Lcmp,
    /// 64-bit integers in order.
    Ncmp,
    /// YES or NO in either case, any number of them.
    Nyesno,
    /// Two doubles, absolute error at most 1.5E-6.
    Rcmp,
    /// Doubles in order, absolute or relative error at most 1E-4.
    Rcmp4,
    /// Doubles in order, absolute or relative error at most 1E-6.
    Rcmp6,
    /// Doubles in order, absolute or relative error at most 1E-9.
    Rcmp9,
    /// Doubles in order, absolute error at most 1.5E-5.
    Rncmp,
    /// 64-bit integers in any order.
    Uncmp,
    /// Tokens in order.
    Wcmp,
    /// One YES or NO in either case.
    Yesno,
}

const ALL: [(&str, TestlibChecker); 19] = [
    ("acmp", TestlibChecker::Acmp),
    ("caseicmp", TestlibChecker::Caseicmp),
    ("casencmp", TestlibChecker::Casencmp),
    ("casewcmp", TestlibChecker::Casewcmp),
    ("dcmp", TestlibChecker::Dcmp),
    ("fcmp", TestlibChecker::Fcmp),
    ("hcmp", TestlibChecker::Hcmp),
    ("icmp", TestlibChecker::Icmp),
    ("lcmp", TestlibChecker::Lcmp),
    ("ncmp", TestlibChecker::Ncmp),
    ("nyesno", TestlibChecker::Nyesno),
    ("rcmp", TestlibChecker::Rcmp),
    ("rcmp4", TestlibChecker::Rcmp4),
    ("rcmp6", TestlibChecker::Rcmp6),
    ("rcmp9", TestlibChecker::Rcmp9),
    ("rncmp", TestlibChecker::Rncmp),
    ("uncmp", TestlibChecker::Uncmp),
    ("wcmp", TestlibChecker::Wcmp),
    ("yesno", TestlibChecker::Yesno),
];

impl TestlibChecker {
    /// The checker of a name: `wcmp`, `wcmp.cpp` or Polygon's `std::wcmp.cpp`.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.strip_prefix("std::").unwrap_or(name);
        let name = name.strip_suffix(".cpp").unwrap_or(name);
        ALL.iter().find(|(known, _)| *known == name).map(|(_, checker)| *checker)
    }
}

/// What one value is, and when two are the same.
#[derive(Clone, Copy)]
enum Value {
    Int32,
    Int64,
    Huge,
    YesNo,
    /// A double near enough by the absolute error, or by either.
    Double {
        error: f64,
        relative: bool,
    },
}

/// Added to every tolerance there.
const SLACK: f64 = 1e-15;
/// Beyond this a number is infinite there.
const INFINITE: f64 = 1e300;

pub(super) fn compare(
    checker: TestlibChecker,
    mut output: Source<'_>,
    answer: Source<'_>,
) -> io::Result<Comparison> {
    use TestlibChecker as Name;
    output.skip_byte_order_mark()?;
    let absolute = |error| Value::Double { error, relative: false };
    let either = |error| Value::Double { error, relative: true };
    if checker == Name::Wcmp {
        let options = TokenOptions { case_sensitive: true, ..TokenOptions::default() };
        let rules = Rules { options, spaces: Spaces::Any, is_space: is_testlib_blank };
        return tokens::compare(rules, output, answer);
    }
    let pair =
        Pair { output: Words::new(output, is_testlib_blank), answer: Words::new(answer, is_testlib_blank) };
    match checker {
        Name::Acmp | Name::Rcmp => pair.single(absolute(1.5e-6)),
        Name::Dcmp => pair.single(either(1e-6)),
        Name::Icmp => pair.single(Value::Int32),
        Name::Hcmp => pair.single(Value::Huge),
        Name::Yesno => pair.single(Value::YesNo),
        Name::Ncmp => pair.sequence(Value::Int64),
        Name::Nyesno => pair.sequence(Value::YesNo),
        Name::Rcmp4 => pair.sequence(either(1e-4)),
        Name::Rcmp6 => pair.sequence(either(1e-6)),
        Name::Rcmp9 => pair.sequence(either(1e-9)),
        Name::Rncmp => pair.sequence(absolute(1.5e-5)),
        Name::Uncmp => pair.unordered(),
        Name::Caseicmp => pair.single_cases(),
        Name::Casencmp => pair.cases(true),
        Name::Casewcmp | Name::Wcmp => pair.cases(false),
        Name::Lcmp => pair.lines_of_tokens(),
        Name::Fcmp => super::lines::compare_whole(pair.output, pair.answer),
    }
}

struct Pair<'output, 'answer> {
    output: Words<'output>,
    answer: Words<'answer>,
}

impl Pair<'_, '_> {
    /// The next word of each, the answer's in full.
    fn next(&mut self) -> io::Result<(Option<Word>, Option<Word>)> {
        let expected = self.answer.next(usize::MAX)?;
        let found = self.output.next(enough_for(self.answer.head()))?;
        Ok((found, expected))
    }

    /// One value each, and nothing after it in the output.
    fn single(mut self, value: Value) -> io::Result<Comparison> {
        let (found, expected) = self.next()?;
        let Some(expected) = expected else {
            return Ok(broken_answer(self.answer.source.position(), "it is empty"));
        };
        if let Some(different) = self.values(value, found, expected) {
            return Ok(different);
        }
        if matches!(value, Value::Huge)
            && let Some(second) = self.answer.next(1)?
        {
            return Ok(broken_answer(second.position, "there is more than one number"));
        }
        self.rest()
    }

    /// As many values in the one as in the other.
    fn sequence(mut self, value: Value) -> io::Result<Comparison> {
        loop {
            let (found, expected) = self.next()?;
            let Some(expected) = expected else {
                return Ok(found.map_or(Comparison::Accepted, |found| self.trailing(found)));
            };
            if let Some(different) = self.values(value, found, expected) {
                return Ok(different);
            }
        }
    }

    /// What is wrong with the value both stand at.
    fn values(&mut self, value: Value, found: Option<Word>, expected: Word) -> Option<Comparison> {
        let wanted = self.answer.quoted(expected);
        let jury = value.read(&mut self.answer);
        if jury.is_none() {
            return Some(broken_answer(expected.position, &format!("{wanted} is not {}", value.name())));
        }
        let Some(found) = found else {
            return Some(missing(self.output.source.position(), &wanted));
        };
        let same = match value {
            Value::Double { error, relative } => value
                .read(&mut self.output)
                .zip(jury)
                .is_some_and(|(found, jury)| near(jury, found, error, relative)),
            Value::YesNo => self.output.head().eq_ignore_ascii_case(self.answer.head()),
            Value::Int32 | Value::Int64 | Value::Huge => self.output.is(found, self.answer.head()),
        };
        (!same).then(|| differ(found.position, expected.position, &wanted, &self.output.quoted(found)))
    }

    fn trailing(&self, found: Word) -> Comparison {
        trailing(found.position, &self.output.quoted(found))
    }

    /// Nothing but blanks may follow.
    fn rest(&mut self) -> io::Result<Comparison> {
        let word = self.output.next(message::WINDOW)?;
        Ok(word.map_or(Comparison::Accepted, |word| self.trailing(word)))
    }

    /// The same integers, however ordered.
    fn unordered(mut self) -> io::Result<Comparison> {
        let mut left: HashMap<i64, u64> = HashMap::new();
        while let Some(word) = self.answer.next(usize::MAX)? {
            let Some(number) = integer(self.answer.head()) else {
                let shown = self.answer.quoted(word);
                let problem = format!("{shown} is not {}", Value::Int64.name());
                return Ok(broken_answer(word.position, &problem));
            };
            *left.entry(number).or_insert(0) += 1;
        }
        while let Some(word) = self.output.next(message::WINDOW)? {
            let shown = self.output.quoted(word);
            let place = format!("line {}, column {}", word.position.line, word.position.column);
            let Some(number) = integer(self.output.head()) else {
                return Ok(message::wrong(&format!("{place}: {shown} is not {}", Value::Int64.name())));
            };
            match left.get_mut(&number) {
                Some(1) => drop(left.remove(&number)),
                Some(count) => *count -= 1,
                None => return Ok(message::wrong(&format!("{place}: {shown} is one too many"))),
            }
        }
        Ok(match left.keys().min() {
            Some(number) => message::wrong(&format!("the output lacks {number}")),
            None => Comparison::Accepted,
        })
    }

    /// `Case 1:`, a value, `Case 2:` and so on, compared word by word.
    fn single_cases(mut self) -> io::Result<Comparison> {
        for place in 0_u64.. {
            let (case, part) = (place / 3 + 1, place % 3);
            let (found, expected) = self.next()?;
            let head = self.answer.head();
            let (wanted, belongs) = match part {
                0 => (expected.is_none() || head == b"Case", "'Case'".to_owned()),
                1 => (head == format!("{case}:").as_bytes() && expected.is_some(), format!("'{case}:'")),
                _ => (integer(head).is_some() && expected.is_some(), Value::Int64.name().to_owned()),
            };
            if !wanted {
                let at = expected.map_or_else(|| self.answer.source.position(), |word| word.position);
                return Ok(broken_answer(at, &format!("{belongs} belongs here")));
            }
            let Some(expected) = expected else {
                return Ok(found.map_or(Comparison::Accepted, |found| self.trailing(found)));
            };
            if let Some(different) = self.word(found, expected) {
                return Ok(different);
            }
        }
        Ok(Comparison::Accepted)
    }

    /// What is wrong with a word that must be the answer's.
    fn word(&self, found: Option<Word>, expected: Word) -> Option<Comparison> {
        let wanted = self.answer.quoted(expected);
        match found {
            None => Some(missing(self.output.source.position(), &wanted)),
            Some(found) if self.output.is(found, self.answer.head()) => None,
            Some(found) => {
                Some(differ(found.position, expected.position, &wanted, &self.output.quoted(found)))
            }
        }
    }

    /// `Case 1:`, values, `Case 2:` and so on, any number of values each. The answer is read case by case, since what
    /// is wrong with it comes before what is wrong with the output. A last `Case` without a number is read as the end of
    /// the values before it, in either.
    fn cases(mut self, are_integers: bool) -> io::Result<Comparison> {
        let (mut answer_began, mut output_began) = (false, false);
        for case in 1_u64.. {
            self.answer.skip_blanks()?;
            if self.answer.source.peek()?.is_none() {
                break;
            }
            let name = format!("{case}:");
            let expected = match self.case_of_answer(&name, are_integers, &mut answer_began)? {
                Ok(expected) => expected,
                Err(broken) => return Ok(broken),
            };
            if let Some(wrong) = self.case_of_output(&name, &expected, &mut output_began)? {
                return Ok(wrong);
            }
        }
        self.rest()
    }

    /// The values of a case of the answer.
    fn case_of_answer(
        &mut self,
        name: &str,
        are_integers: bool,
        began: &mut bool,
    ) -> io::Result<Result<Vec<Vec<u8>>, Comparison>> {
        for belongs in ["Case", name].into_iter().skip(usize::from(std::mem::take(began))) {
            let word = self.answer.next(usize::MAX)?;
            if word.is_none() || self.answer.head() != belongs.as_bytes() {
                let at = word.map_or_else(|| self.answer.source.position(), |word| word.position);
                return Ok(Err(broken_answer(at, &format!("'{belongs}' belongs here"))));
            }
        }
        let mut values = Vec::new();
        while let Some(word) = self.answer.next(usize::MAX)? {
            let head = self.answer.head();
            if head == b"Case" {
                *began = true;
                break;
            }
            if are_integers && integer(head).is_none() {
                let problem = format!("{} belongs here", Value::Int64.name());
                return Ok(Err(broken_answer(word.position, &problem)));
            }
            values.push(head.to_vec());
        }
        Ok(Ok(values))
    }

    /// What is wrong with a case of the output that must have these values.
    fn case_of_output(
        &mut self,
        name: &str,
        values: &[Vec<u8>],
        began: &mut bool,
    ) -> io::Result<Option<Comparison>> {
        let there = self.answer.source.position();
        let heading =
            [b"Case".as_slice(), name.as_bytes()].into_iter().skip(usize::from(std::mem::take(began)));
        for wanted in heading.chain(values.iter().map(Vec::as_slice)) {
            let quoted = message::quote(wanted);
            let Some(found) = self.output.next(enough_for(wanted))? else {
                return Ok(Some(missing(self.output.source.position(), &quoted)));
            };
            if !self.output.is(found, wanted) {
                return Ok(Some(differ(found.position, there, &quoted, &self.output.quoted(found))));
            }
        }
        let Some(next) = self.output.next(message::WINDOW)? else { return Ok(None) };
        *began = self.output.is(next, b"Case");
        Ok((!*began).then(|| differ(next.position, there, "the end of the case", &self.output.quoted(next))))
    }

    /// Line by line the same tokens; what follows the last line of the answer must be blank.
    fn lines_of_tokens(mut self) -> io::Result<Comparison> {
        let ends: fn(u8) -> bool = |byte| byte == b'\n';
        // Within lines the C++ library splits, by more kinds of white space than testlib itself.
        self.answer.set_blanks(is_space);
        self.output.set_blanks(is_space);
        loop {
            let expected = self.answer.event(usize::MAX, ends)?;
            match expected {
                Event::End => break,
                // An empty last line is none.
                Event::LineEnd { is_empty: true } if self.answer.source.peek()?.is_none() => break,
                Event::Word(_) | Event::LineEnd { .. } => {}
            }
            let found = self.output.event(enough_for(self.answer.head()), ends)?;
            let (here, there) = (self.output.source.position(), self.answer.source.position());
            match (found, expected) {
                // Lines after the end of the output are read as empty ones.
                (Event::LineEnd { .. } | Event::End, Event::LineEnd { .. }) => {}
                (Event::Word(found), Event::Word(_)) if self.output.is(found, self.answer.head()) => {}
                (Event::Word(found), Event::Word(word)) => {
                    let (wanted, got) = (self.answer.quoted(word), self.output.quoted(found));
                    return Ok(differ(found.position, word.position, &wanted, &got));
                }
                (Event::Word(found), _) => {
                    let got = self.output.quoted(found);
                    return Ok(differ(found.position, there, "the end of the line", &got));
                }
                (Event::LineEnd { .. }, Event::Word(word)) => {
                    let wanted = self.answer.quoted(word);
                    return Ok(differ(here, word.position, &wanted, "the end of the line"));
                }
                (Event::End, Event::Word(word)) => {
                    return Ok(missing(here, &self.answer.quoted(word)));
                }
                (Event::End | Event::LineEnd { .. }, _) => return Ok(missing(here, "another line")),
            }
        }
        self.output.set_blanks(is_testlib_blank);
        self.rest()
    }
}

impl Value {
    /// For messages.
    fn name(self) -> &'static str {
        match self {
            Self::Int32 => "a 32-bit integer",
            Self::Int64 => "a 64-bit integer",
            Self::Huge => "an integer",
            Self::YesNo => "YES or NO",
            Self::Double { .. } => "a number",
        }
    }

    /// The last word as a value; of anything but doubles it only matters that it is one.
    fn read(self, words: &mut Words<'_>) -> Option<f64> {
        let head = words.head();
        let valid = |valid: bool| valid.then_some(0.0);
        match self {
            Self::Int32 => valid(integer(head).is_some_and(|number| i32::try_from(number).is_ok())),
            Self::Int64 => valid(integer(head).is_some()),
            Self::Huge => valid(is_huge_integer(head)),
            Self::YesNo => valid(head.eq_ignore_ascii_case(b"YES") || head.eq_ignore_ascii_case(b"NO")),
            Self::Double { .. } => words.decimal(),
        }
    }
}

/// `0`, or digits without a zero in front and with an optional minus.
fn is_huge_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    text == b"0"
        || (digits.first().is_some_and(|digit| *digit != b'0') && digits.iter().all(u8::is_ascii_digit))
}

/// A 64-bit integer in its one spelling.
fn integer(text: &[u8]) -> Option<i64> {
    if !is_huge_integer(text) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `doubleCompare`, or the absolute part of it.
fn near(jury: f64, found: f64, error: f64, relative: bool) -> bool {
    let error = error + SLACK;
    if !relative {
        return (jury - found).abs() <= error;
    }
    if jury.abs() > INFINITE {
        return found.abs() > INFINITE && (found > 0.0) == (jury > 0.0);
    }
    if found.abs() > INFINITE {
        return false;
    }
    let ends = (jury * (1.0 - error), jury * (1.0 + error));
    (found - jury).abs() <= error || (ends.0.min(ends.1)..=ends.0.max(ends.1)).contains(&found)
}
