//! Token by token, as the Kattis default validator does.
//!
//! A token is a run of bytes without white space, and white space is what C's `isspace` says: space, `\t`,
//! `\n`, `\v`, `\f`, `\r`. With a tolerance given, a token of the answer that is a finite number (see
//! [`super::number`]) is matched by any finite number near enough; every other token, `inf` and `nan` among
//! them, must be the same text. Near enough means, in `double` arithmetic as there, a difference of at most
//! the absolute tolerance, or at most the relative one times the size of the jury's number. (DOMjudge's
//! version of that program uses `long double` and also takes `inf` and `nan` for numbers.)
//!
//! Two differences are wanted: that program stops reading a token at a NUL, so that `1\0junk` matches `1`, where here
//! every byte counts; and what a number is, is the grammar of the 2025-09 format in both ([`super::number`]).

use std::io;

use super::comparator::{Comparison, TokenOptions};
use super::message::{self, WINDOW};
use super::number::Scanner;
use super::source::{Source, common_prefix, skip_equal};
use super::words::{is_line_end, is_space};

/// What a comparison of tokens goes by.
#[derive(Clone, Copy)]
pub(super) struct Rules<S> {
    /// When two tokens match.
    pub(super) options: TokenOptions,
    /// What the white space between them must be.
    pub(super) spaces: Spaces,
    /// What white space is.
    pub(super) is_space: S,
}

/// What the white space between tokens must be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Spaces {
    /// Any.
    Any,
    /// The same bytes, before the first token and after the last as well.
    Same,
    /// Between tokens, the end of a line where the jury has one, and only there (DMOJ's `standard`).
    Lines,
}

/// The rules of the Kattis default validator.
pub(super) fn kattis_rules(options: TokenOptions) -> Rules<impl Fn(u8) -> bool + Copy> {
    let spaces = if options.space_change_sensitive { Spaces::Same } else { Spaces::Any };
    Rules { options, spaces, is_space }
}

/// Compares every token, and the white space between them where the rules say so.
pub(super) fn compare<S: Fn(u8) -> bool + Copy>(
    rules: Rules<S>,
    output: Source<'_>,
    answer: Source<'_>,
) -> io::Result<Comparison> {
    let Rules { options, spaces, is_space } = rules;
    let (output_number, answer_number) = (Scanner::default(), Scanner::default());
    Tokens { options, spaces, is_space, output, answer, output_number, answer_number }.compare()
}

struct Tokens<'output, 'answer, S> {
    options: TokenOptions,
    spaces: Spaces,
    is_space: S,
    output: Source<'output>,
    answer: Source<'answer>,
    output_number: Scanner,
    answer_number: Scanner,
}

impl<S: Fn(u8) -> bool + Copy> Tokens<'_, '_, S> {
    fn compare(mut self) -> io::Result<Comparison> {
        let is_space = self.is_space;
        if self.spaces == Spaces::Lines {
            // Before the first token anything may stand.
            skip_space(&mut self.output, is_space)?;
            skip_space(&mut self.answer, is_space)?;
        }
        loop {
            match self.spaces {
                // What lies between two tokens is looked at as a whole, so the common part must not end within it.
                Spaces::Lines => skip_equal(&mut self.output, &mut self.answer, |byte| !is_space(byte))?,
                Spaces::Any | Spaces::Same => skip_equal(&mut self.output, &mut self.answer, is_space)?,
            }
            if let Some(wrong) = self.white_space()? {
                return Ok(wrong);
            }
            let (output, answer) = (self.output.peek()?, self.answer.peek()?);
            let wrong = match (output.is_some(), answer.is_some()) {
                (false, false) => return Ok(Comparison::Accepted),
                (true, true) => self.token()?,
                (true, false) => Some(self.trailing()?),
                (false, true) => Some(self.missing()?),
            };
            if let Some(wrong) = wrong {
                return Ok(wrong);
            }
        }
    }

    fn place(&self) -> String {
        message::place(self.output.position(), self.answer.position())
    }

    /// Goes past the white space before the next tokens.
    fn white_space(&mut self) -> io::Result<Option<Comparison>> {
        let is_space = self.is_space;
        match self.spaces {
            Spaces::Same => self.same_white_space(),
            Spaces::Any => {
                skip_space(&mut self.output, is_space)?;
                skip_space(&mut self.answer, is_space)?;
                Ok(None)
            }
            Spaces::Lines => {
                let place = self.place();
                let output = gap(&mut self.output, is_space)?;
                let answer = gap(&mut self.answer, is_space)?;
                // What follows the last token does not matter.
                let is_over = self.output.peek()?.is_none() || self.answer.peek()?.is_none();
                let text = format!("{place}: expected {}, got {}", answer.name(), output.name());
                Ok((output != answer && !is_over).then(|| message::wrong(&text)))
            }
        }
    }

    fn same_white_space(&mut self) -> io::Result<Option<Comparison>> {
        let is_space = self.is_space;
        loop {
            let (output, answer) = (self.output.peek()?, self.answer.peek()?);
            let output_space = output.is_some_and(is_space);
            let answer_space = answer.is_some_and(is_space);
            if !output_space && !answer_space {
                return Ok(None);
            }
            if output != answer {
                return Ok(Some(message::wrong(&format!(
                    "{}: white space differs: expected {}, got {}",
                    self.place(),
                    byte_name(answer),
                    byte_name(output)
                ))));
            }
            self.output.consume(1);
            self.answer.consume(1);
        }
    }

    fn trailing(&mut self) -> io::Result<Comparison> {
        let token = beginning(&mut self.output, self.is_space)?;
        let position = self.output.position();
        Ok(message::wrong(&format!(
            "line {}, column {}: trailing output {token} after the answer's end",
            position.line, position.column
        )))
    }

    fn missing(&mut self) -> io::Result<Comparison> {
        let token = beginning(&mut self.answer, self.is_space)?;
        let (output, answer) = (self.output.position(), self.answer.position());
        let expected =
            format!("expected {token} (line {}, column {} of the answer)", answer.line, answer.column);
        Ok(message::wrong(&if output.offset == 0 {
            format!("output is empty: {expected}")
        } else {
            format!("output ends at line {}, column {}: {expected}", output.line, output.column)
        }))
    }

    /// Compares the tokens both sources stand at and goes past them.
    fn token(&mut self) -> io::Result<Option<Comparison>> {
        let is_space = self.is_space;
        let output_length = self.output.run_length(|byte| !is_space(byte))?;
        let answer_length = self.answer.run_length(|byte| !is_space(byte))?;
        let (Some(output_length), Some(answer_length)) = (output_length, answer_length) else {
            return self.giant_token();
        };
        let output = &self.output.available()[..output_length];
        let answer = &self.answer.available()[..answer_length];
        if !self.same_text(output, answer) {
            let outcome = if self.options.has_tolerance() {
                self.output_number.reset();
                self.answer_number.reset();
                self.answer_number.feed(answer);
                self.output_number.feed(output);
                self.options.judge_numbers(self.output_number.finish(), self.answer_number.finish())
            } else {
                Outcome::Text
            };
            if outcome != Outcome::Near {
                let focus = self.first_difference(output, answer);
                return Ok(Some(self.options.differ(
                    outcome,
                    &self.place(),
                    &message::quote_around(output, focus),
                    &message::quote_around(answer, focus),
                )));
            }
        }
        self.output.consume(output_length);
        self.answer.consume(answer_length);
        Ok(None)
    }

    fn same_text(&self, output: &[u8], answer: &[u8]) -> bool {
        if self.options.case_sensitive { output == answer } else { output.eq_ignore_ascii_case(answer) }
    }

    /// Length of what the two have in common.
    fn first_difference(&self, output: &[u8], answer: &[u8]) -> usize {
        let mut common = common_prefix(output, answer);
        if !self.options.case_sensitive {
            let pairs = output[common..].iter().zip(&answer[common..]);
            common += pairs.take_while(|(left, right)| left.eq_ignore_ascii_case(right)).count();
        }
        common
    }

    /// Compares tokens of which at least one does not fit its buffer, piece by piece.
    fn giant_token(&mut self) -> io::Result<Option<Comparison>> {
        let tolerant = self.options.has_tolerance();
        let place = self.place();
        self.output_number.reset();
        self.answer_number.reset();
        // Excerpts around the first difference in the text, when one has been met.
        let mut excerpts: Option<(String, String)> = None;
        let mut compared = 0;
        loop {
            let (output_piece, output_ended) = piece(&mut self.output, self.is_space)?;
            let (answer_piece, answer_ended) = piece(&mut self.answer, self.is_space)?;
            let output = &self.output.available()[..output_piece];
            let answer = &self.answer.available()[..answer_piece];
            let common = if excerpts.is_some() { 0 } else { self.first_difference(output, answer) };
            let reached_difference = common < output.len().max(answer.len())
                && (common < output.len() || output_ended)
                && (common < answer.len() || answer_ended);
            if excerpts.is_none() && reached_difference {
                excerpts = Some((
                    excerpt(output, common, compared, output_ended),
                    excerpt(answer, common, compared, answer_ended),
                ));
            }
            let numbers_possible = tolerant && self.answer_number.alive();
            if let (Some((output, answer)), false) = (&excerpts, numbers_possible) {
                return Ok(Some(self.options.differ(Outcome::Text, &place, output, answer)));
            }
            // Until they differ both move along together; then each moves to its own end.
            let (output_step, answer_step) =
                if excerpts.is_some() { (output_piece, answer_piece) } else { (common, common) };
            if numbers_possible {
                self.output_number.feed(&output[..output_step]);
                self.answer_number.feed(&answer[..answer_step]);
            }
            let done =
                output_ended && output_step == output_piece && answer_ended && answer_step == answer_piece;
            self.output.consume(output_step);
            self.answer.consume(answer_step);
            compared += output_step;
            if done {
                break;
            }
        }
        let Some((output, answer)) = excerpts else { return Ok(None) };
        let outcome = self.options.judge_numbers(self.output_number.finish(), self.answer_number.finish());
        Ok((outcome != Outcome::Near).then(|| self.options.differ(outcome, &place, &output, &answer)))
    }
}

/// How two tokens that are not the same text relate.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    /// The answer's is no number, so only the same text would do.
    Text,
    /// The answer's is a number, the output's is not.
    NotANumber,
    /// Numbers within a tolerance.
    Near,
    /// Numbers, this far apart.
    Far(f64),
}

impl TokenOptions {
    fn has_tolerance(&self) -> bool {
        self.absolute_tolerance.is_some() || self.relative_tolerance.is_some()
    }

    fn judge_numbers(&self, output: Option<f64>, answer: Option<f64>) -> Outcome {
        let Some(answer) = answer else { return Outcome::Text };
        let Some(output) = output else { return Outcome::NotANumber };
        let difference = (answer - output).abs();
        let near = self.absolute_tolerance.is_some_and(|tolerance| difference <= tolerance)
            || self.relative_tolerance.is_some_and(|tolerance| difference <= tolerance * answer.abs());
        if near { Outcome::Near } else { Outcome::Far(difference) }
    }

    fn differ(&self, outcome: Outcome, place: &str, output: &str, answer: &str) -> Comparison {
        message::wrong(&match outcome {
            Outcome::Text | Outcome::Near => format!("{place}: expected {answer}, got {output}"),
            Outcome::NotANumber => format!("{place}: expected the number {answer}, got {output}"),
            Outcome::Far(difference) => {
                let allowed = match (self.absolute_tolerance, self.relative_tolerance) {
                    (Some(absolute), Some(relative)) => {
                        format!("{absolute:e} absolute or {relative:e} relative")
                    }
                    (Some(absolute), None) => format!("{absolute:e} absolute"),
                    (None, Some(relative)) => format!("{relative:e} relative"),
                    (None, None) => "0".to_owned(),
                };
                format!(
                    "{place}: expected {answer}, got {output}: differs by {difference:e}, allowed {allowed}"
                )
            }
        })
    }
}

/// What stands between two tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    Nothing,
    Space,
    Line,
}

impl Gap {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "more of the token",
            Self::Space => "a space",
            Self::Line => "the end of the line",
        }
    }
}

/// Goes past white space and says what it was.
fn gap(source: &mut Source<'_>, is_space: impl Fn(u8) -> bool) -> io::Result<Gap> {
    let mut gap = Gap::Nothing;
    while let Some(byte) = source.peek()?
        && is_space(byte)
    {
        let is_line = is_line_end(byte) || gap == Gap::Line;
        gap = if is_line { Gap::Line } else { Gap::Space };
        source.consume(1);
    }
    Ok(gap)
}

fn skip_space(source: &mut Source<'_>, is_space: impl Fn(u8) -> bool) -> io::Result<()> {
    while source.peek()?.is_some_and(&is_space) {
        let bytes = source.available();
        let length = bytes.iter().position(|byte| !is_space(*byte)).unwrap_or(bytes.len());
        source.consume(length);
    }
    Ok(())
}

/// Length of the available part of the token, and whether the token ends with it.
fn piece(source: &mut Source<'_>, is_space: impl Fn(u8) -> bool) -> io::Result<(usize, bool)> {
    if source.peek()?.is_none() {
        return Ok((0, true));
    }
    Ok(match source.run_length(|byte| !is_space(byte))? {
        Some(length) => (length, true),
        None => (source.available().len(), false),
    })
}

/// The beginning of the token the source stands at, quoted.
fn beginning(source: &mut Source<'_>, is_space: impl Fn(u8) -> bool) -> io::Result<String> {
    let (length, ended) = piece(source, is_space)?;
    Ok(message::quote_part(&source.available()[..length.min(WINDOW)], false, !ended || length > WINDOW))
}

/// A quoted piece of a token around the place `focus` in the piece, `before` bytes of the token having gone
/// by.
fn excerpt(piece: &[u8], focus: usize, before: usize, ended: bool) -> String {
    let front = message::window_start(piece, focus);
    message::quote_part(&piece[front..], before + front > 0, !ended)
}

fn byte_name(byte: Option<u8>) -> String {
    match byte {
        None => "the end".to_owned(),
        Some(b' ') => "a space".to_owned(),
        Some(byte) => message::quote(&[byte]),
    }
}
