//! Runs a script on an input.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::input::Input;
use super::number_token::{Magnitude, NumberToken};
use super::regex::{Found, RegexCache};
use super::syntax::{
    Command, CommandKind, Decimals, Expression, ExpressionKind, Loop, Name, Notation, Position, Test,
    Variable,
};
use super::value::{Undefined, Value};
use super::variables::{Repeated, Variables};
use super::{Answer, Bounds, CheckError, Mismatch, Resource, ScriptError};

/// Steps between two readings of the clock. A step takes well below a microsecond; larger operations count as several.
const STEPS: u64 = 1 << 12;

/// Runs a script on an input.
pub(super) fn run(
    commands: &[Command],
    source: &mut dyn std::io::Read,
    bounds: Bounds<'_>,
) -> Result<Answer, CheckError> {
    let mut machine = Machine {
        input: Input::new(source),
        variables: Variables::new(bounds.memory),
        regexes: RegexCache::default(),
        clock: Clock { bounds, began: thread_time(), unchecked: STEPS, is_late: false },
        at: Position { line: 1, column: 1 },
        keyword: "",
    };
    let ended = machine.commands(commands).and_then(|()| {
        machine.keyword = "the end of the script";
        machine.end_of_file()
    });
    match ended {
        Ok(()) => Ok(Answer::Valid),
        Err(Ending::Mismatch(mismatch)) => Ok(Answer::Invalid(mismatch)),
        Err(Ending::Error(error)) => Err(error),
    }
}

/// Why a script ends before its last command.
enum Ending {
    Mismatch(Mismatch),
    Error(CheckError),
}

impl<E: Into<CheckError>> From<E> for Ending {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

struct Machine<'a> {
    input: Input<'a>,
    variables: Variables,
    regexes: RegexCache,
    clock: Clock<'a>,
    /// Position of the current command.
    at: Position,
    /// Name of the current command.
    keyword: &'static str,
}

/// Counts steps, and checks the time limit and the request to stop every [`STEPS`] steps.
struct Clock<'a> {
    bounds: Bounds<'a>,
    began: Duration,
    /// Steps since the last reading.
    unchecked: u64,
    is_late: bool,
}

impl Clock<'_> {
    /// Counts steps before they are taken; returns whether to stop. Checks first before an operation of [`STEPS`] steps or
    /// more.
    fn charge(&mut self, steps: u64) -> bool {
        self.unchecked = self.unchecked.saturating_add(steps);
        if self.unchecked < STEPS {
            return false;
        }
        self.unchecked = 0;
        self.is_late = thread_time().saturating_sub(self.began) > self.bounds.time;
        self.is_late || (self.bounds.should_stop)()
    }
}

/// Returns the CPU time of this thread.
fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

impl Machine<'_> {
    fn step(&mut self) -> Result<(), Ending> {
        self.charge(1)
    }

    fn charge(&mut self, steps: u64) -> Result<(), Ending> {
        if self.clock.charge(steps) { Err(self.stopped()) } else { Ok(()) }
    }

    fn stopped(&self) -> Ending {
        if self.clock.is_late { self.exceeded(Resource::Time) } else { CheckError::Stopped.into() }
    }

    fn exceeded(&self, resource: Resource) -> Ending {
        CheckError::Exceeded { at: self.at, resource }.into()
    }

    /// Returns the mismatch between the input and the current command.
    fn mismatch<T>(&self, message: impl std::fmt::Display) -> Result<T, Ending> {
        self.mismatch_at(self.input.position(), message)
    }

    fn mismatch_at<T>(&self, input: Position, message: impl std::fmt::Display) -> Result<T, Ending> {
        let message = format!("{}: {message}", self.keyword);
        Err(Ending::Mismatch(Mismatch { input, script: self.at, message }))
    }

    /// Describes the next byte of the input.
    fn found(&mut self) -> Result<String, Ending> {
        Ok(match self.input.peek()? {
            None => "the end of the input".to_owned(),
            Some(b'\n') => "a newline".to_owned(),
            Some(b' ') => "a space".to_owned(),
            Some(byte) => format!("'{}'", byte.escape_ascii()),
        })
    }

    fn commands(&mut self, commands: &[Command]) -> Result<(), Ending> {
        commands.iter().try_for_each(|command| self.command(command))
    }

    fn command(&mut self, command: &Command) -> Result<(), Ending> {
        self.step()?;
        self.at = command.at;
        self.keyword = command.keyword();
        match &command.kind {
            CommandKind::Space => self.byte(b' ', "a space"),
            CommandKind::Newline => self.byte(b'\n', "a newline"),
            CommandKind::Eof => self.end_of_file(),
            CommandKind::Int { min, max, name } => self.integer(min, max, name.as_ref()),
            CommandKind::Float { min, max, decimals, name, notation } => {
                self.decimal((min, max), decimals.as_ref(), name.as_ref(), *notation)
            }
            CommandKind::Text(text) => self.text(text),
            CommandKind::Regex { pattern, name } => self.regex(pattern, name.as_ref()),
            CommandKind::Assert(test) => {
                if self.test(test)? {
                    Ok(())
                } else {
                    self.mismatch("the assertion does not hold")
                }
            }
            CommandKind::Set(assignments) => assignments.iter().try_for_each(|(variable, value)| {
                let value = self.evaluate(value)?;
                self.set(variable, value)
            }),
            CommandKind::Unset(names) => {
                names.iter().for_each(|name| self.variables.unset(name));
                Ok(())
            }
            CommandKind::Repeat { counter, count, block } => self.repeat(counter.as_ref(), count, block),
            CommandKind::While { counter, condition, block } => {
                self.repeat_while(command, counter.as_ref(), condition, block)
            }
            CommandKind::If { condition, then, otherwise } => {
                let block = if self.test(condition)? { then } else { otherwise };
                self.commands(block)
            }
        }
    }

    fn byte(&mut self, expected: u8, name: &str) -> Result<(), Ending> {
        if self.input.peek()? != Some(expected) {
            let found = self.found()?;
            return self.mismatch(format_args!("expected {name}, found {found}"));
        }
        self.input.advance();
        Ok(())
    }

    fn end_of_file(&mut self) -> Result<(), Ending> {
        if self.input.peek()?.is_none() {
            return Ok(());
        }
        let found = self.found()?;
        self.mismatch(format_args!("expected the end of the input, found {found}"))
    }

    fn text(&mut self, text: &Expression) -> Result<(), Ending> {
        let text = self.evaluate_text(text)?;
        for expected in text.iter() {
            self.step()?;
            if self.input.peek()? != Some(*expected) {
                let found = self.found()?;
                let text = Value::Text(text.clone());
                return self.mismatch(format_args!("expected {text}, found {found}"));
            }
            self.input.advance();
        }
        Ok(())
    }

    fn regex(&mut self, pattern: &Expression, name: Option<&Variable>) -> Result<(), Ending> {
        let at = pattern.at;
        let pattern = self.evaluate_text(pattern)?;
        self.charge(1 + Value::Text(pattern.clone()).pass_work())?;
        if !self.regexes.contains(&pattern) {
            // Compiling may take as long as many steps, whatever the length of the pattern.
            self.charge(STEPS)?;
        }
        let regex = self.regexes.get(&pattern).map_err(|message| ScriptError { at, message })?;
        let work = regex.work_per_byte();
        let most = self.clock.bounds.memory;
        let clock = &mut self.clock;
        let mut is_too_long = false;
        let found = regex.longest(&mut self.input, &mut |length| {
            is_too_long = length as u64 > most;
            !is_too_long && !clock.charge(work)
        })?;
        match found {
            Found::Match(length) => {
                let matched = self.input.take(length);
                match name {
                    Some(name) => self.set(name, Value::Text(matched.into())),
                    None => Ok(()),
                }
            }
            Found::None => self.mismatch(format_args!("no match of {}", Value::Text(pattern))),
            Found::Stopped if is_too_long => Err(self.exceeded(Resource::Memory)),
            Found::Stopped => Err(self.stopped()),
        }
    }

    fn integer(&mut self, min: &Expression, max: &Expression, name: Option<&Variable>) -> Result<(), Ending> {
        let begin = self.input.position();
        let mut token = NumberToken::new(self.input.peek()? == Some(b'-'));
        if token.negative {
            self.input.advance();
        }
        self.digits(&mut token)?;
        let (min, max) = (self.evaluate_integer(min)?, self.evaluate_integer(max)?);
        if let Some(fault) = token.integer_fault() {
            let found = if token.count == 0 { format!(", found {}", self.found()?) } else { String::new() };
            return self.mismatch_at(begin, format_args!("{fault}{found}"));
        }
        self.charge(token.work())?;
        self.bounded(begin, token.integer(), &min, &max, name)
    }

    fn decimal(
        &mut self,
        (min, max): (&Expression, &Expression),
        decimals: Option<&Decimals>,
        name: Option<&Variable>,
        notation: Notation,
    ) -> Result<(), Ending> {
        let decimals = decimals.map(|decimals| self.decimals(decimals)).transpose()?;
        let begin = self.input.position();
        let token = self.decimal_token(notation)?;
        if let Some(fault) = token.decimal_fault(notation, decimals) {
            let found = self.found()?;
            let found = if token.count == 0 { format!(", found {found}") } else { String::new() };
            return self.mismatch_at(begin, format_args!("{fault}{found}"));
        }
        let (min, max) = (self.evaluate_number(min)?, self.evaluate_number(max)?);
        self.charge(token.work())?;
        self.bounded(begin, token.decimal(), &min, &max, name)
    }

    fn decimals(&mut self, decimals: &Decimals) -> Result<(i64, i64), Ending> {
        let mut bound = |expression: &Expression| -> Result<i64, Ending> {
            match self.evaluate(expression)? {
                Value::Small(bound) if bound >= 0 => Ok(bound),
                other => Err(undefined(expression.at, format!("{other} is not a number of decimals"))),
            }
        };
        let (min, max) = (bound(&decimals.min)?, bound(&decimals.max)?);
        if min > max {
            return Err(undefined(decimals.max.at, format!("at least {min} and at most {max} decimals")));
        }
        Ok((min, max))
    }

    fn decimal_token(&mut self, notation: Notation) -> Result<NumberToken, Ending> {
        let mut token = NumberToken::new(self.input.peek()? == Some(b'-'));
        if token.negative {
            self.input.advance();
        }
        self.digits(&mut token)?;
        if token.count > 0 && self.input.peek()? == Some(b'.') {
            self.input.advance();
            token.has_point = true;
            self.digits(&mut token)?;
        }
        if notation != Notation::Fixed && matches!(self.input.peek()?, Some(b'e' | b'E')) {
            self.input.advance();
            let sign = self.input.peek()?;
            token.begin_exponent(sign == Some(b'-'));
            if matches!(sign, Some(b'+' | b'-')) {
                self.input.advance();
            }
            while let Some(digit @ b'0'..=b'9') = self.input.peek()? {
                self.step()?;
                token.push_exponent_digit(digit);
                self.input.advance();
            }
        }
        Ok(token)
    }

    fn digits(&mut self, token: &mut NumberToken) -> Result<(), Ending> {
        while let Some(digit @ b'0'..=b'9') = self.input.peek()? {
            self.step()?;
            token.push_digit(digit);
            self.input.advance();
        }
        Ok(())
    }

    fn bounded(
        &mut self,
        begin: Position,
        number: Magnitude,
        min: &Value,
        max: &Value,
        name: Option<&Variable>,
    ) -> Result<(), Ending> {
        if let Magnitude::Value(value) = &number {
            self.charge(value.comparison_work(min).saturating_add(value.comparison_work(max)))?;
        }
        let too_long =
            || undefined(self.at, "the number in the input has more digits than are supported".to_owned());
        let shown = match &number {
            Magnitude::Value(value) => value.to_string(),
            _ => "the number".to_owned(),
        };
        let (Some(below), Some(above)) = (number.compare(min), number.compare(max)) else {
            return Err(too_long());
        };
        if below.is_lt() || above.is_gt() {
            return self.mismatch_at(begin, format_args!("{shown} is not in [{min}, {max}]"));
        }
        match (name, number) {
            (None, _) => Ok(()),
            (Some(name), Magnitude::Value(value)) => self.set(name, value),
            (Some(_), _) => Err(too_long()),
        }
    }

    fn repeat(&mut self, counter: Option<&Variable>, count: &Expression, block: &Loop) -> Result<(), Ending> {
        self.count(counter, 0)?;
        let most = match self.evaluate(count)? {
            Value::Small(count) if count >= 0 => count,
            other => return Err(undefined(count.at, format!("{other} is not a number of repetitions"))),
        };
        for iteration in 0..most {
            self.iteration(iteration, counter, block)?;
        }
        Ok(())
    }

    fn repeat_while(
        &mut self,
        command: &Command,
        counter: Option<&Variable>,
        condition: &Test,
        block: &Loop,
    ) -> Result<(), Ending> {
        self.count(counter, 0)?;
        for iteration in 0.. {
            self.at = command.at;
            self.keyword = command.keyword();
            if !self.test(condition)? {
                break;
            }
            self.iteration(iteration, counter, block)?;
        }
        Ok(())
    }

    fn iteration(&mut self, iteration: i64, counter: Option<&Variable>, block: &Loop) -> Result<(), Ending> {
        self.step()?;
        if let (Some(separator), 1..) = (&block.separator, iteration) {
            self.command(separator)?;
        }
        self.commands(&block.body)?;
        self.count(counter, iteration + 1)
    }

    fn count(&mut self, counter: Option<&Variable>, iteration: i64) -> Result<(), Ending> {
        match counter {
            Some(counter) => self.set(counter, Value::Small(iteration)),
            None => Ok(()),
        }
    }

    fn test(&mut self, test: &Test) -> Result<bool, Ending> {
        self.step()?;
        match test {
            Test::Not(inner) => Ok(!self.test(inner)?),
            Test::And(first, second) => Ok(self.test(first)? && self.test(second)?),
            Test::Or(first, second) => Ok(self.test(first)? || self.test(second)?),
            Test::Compare(comparison, first, second) => {
                let left = self.evaluate(first)?;
                let right = self.evaluate(second)?;
                self.charge(left.comparison_work(&right))?;
                let order = left.order(&right).map_err(|error| undefined(first.at, error.to_string()))?;
                Ok(comparison.holds(order))
            }
            Test::IsEof => Ok(self.input.peek()?.is_none()),
            Test::Match(characters) => {
                let characters = self.evaluate_text(characters)?;
                self.charge(Value::Text(characters.clone()).pass_work())?;
                Ok(self.input.peek()?.is_some_and(|byte| characters.contains(&byte)))
            }
            Test::Unique(at, names) => self.unique(*at, names),
            Test::InArray(value, at, name) => {
                let value = self.evaluate(value)?;
                self.charge(value.pass_work())?;
                let clock = &mut self.clock;
                match self.variables.contains(name, &value, &mut |steps| clock.charge(steps)) {
                    Some(Ok(found)) => Ok(found),
                    Some(Err(repeated)) => self.repeated(*at, repeated),
                    None => Err(undefined_variable(*at, name)),
                }
            }
        }
    }

    fn unique(&mut self, at: Position, names: &[Name]) -> Result<bool, Ending> {
        let clock = &mut self.clock;
        match self.variables.unique(names, &mut |steps| clock.charge(steps)) {
            Ok(()) => Ok(true),
            Err(repeated) => self.repeated(at, repeated),
        }
    }

    fn repeated<T>(&self, at: Position, repeated: Repeated) -> Result<T, Ending> {
        match repeated {
            Repeated::Undefined(name) => Err(undefined_variable(at, &name)),
            Repeated::OtherIndices(first, second) => {
                self.mismatch(format_args!("the variables '{first}' and '{second}' have different indices"))
            }
            Repeated::Tuple(tuple) => self.mismatch(format_args!("({tuple}) occurs more than once")),
            Repeated::OutOfMemory => Err(self.exceeded(Resource::Memory)),
            Repeated::Stopped => Err(self.stopped()),
        }
    }

    fn indices(&mut self, variable: &Variable) -> Result<Vec<Value>, Ending> {
        let mut indices = Vec::with_capacity(variable.indices.len());
        for index in &variable.indices {
            let index = self.evaluate_integer(index)?;
            self.charge(index.pass_work())?;
            indices.push(index);
        }
        Ok(indices)
    }

    fn set(&mut self, variable: &Variable, value: Value) -> Result<(), Ending> {
        let indices = self.indices(variable)?;
        self.charge(value.pass_work())?;
        self.variables.set(&variable.name, indices, value).map_err(|_| self.exceeded(Resource::Memory))
    }

    fn evaluate(&mut self, expression: &Expression) -> Result<Value, Ending> {
        self.step()?;
        let broken = |error: Undefined| undefined(expression.at, error.to_string());
        match &expression.kind {
            ExpressionKind::Constant(value) => Ok(value.clone()),
            ExpressionKind::Variable(variable) => {
                let indices = self.indices(variable)?;
                let value = self.variables.get(&variable.name, &indices).cloned();
                value.ok_or_else(|| {
                    let indices: Vec<String> = indices.iter().map(ToString::to_string).collect();
                    let indices =
                        if indices.is_empty() { String::new() } else { format!("[{}]", indices.join(",")) };
                    undefined_variable(variable.at, &format!("{}{indices}", variable.name))
                })
            }
            ExpressionKind::Negate(inner) => {
                let inner = self.evaluate(inner)?;
                self.charge(inner.pass_work())?;
                inner.negate().map_err(broken)
            }
            ExpressionKind::Binary(operator, first, second) => {
                let left = self.evaluate(first)?;
                let right = self.evaluate(second)?;
                self.charge(left.work(*operator, &right))?;
                left.apply(*operator, &right).map_err(broken)
            }
            ExpressionKind::Length(text) => {
                let text = self.evaluate_text(text)?;
                Ok(Value::Small(i64::try_from(text.len()).unwrap_or(i64::MAX)))
            }
        }
    }

    fn evaluate_text(&mut self, expression: &Expression) -> Result<std::sync::Arc<[u8]>, Ending> {
        let value = self.evaluate(expression)?;
        value.text().cloned().ok_or_else(|| undefined(expression.at, format!("{value} is not a string")))
    }

    fn evaluate_integer(&mut self, expression: &Expression) -> Result<Value, Ending> {
        let value = self.evaluate(expression)?;
        if value.is_integer() {
            Ok(value)
        } else {
            Err(undefined(expression.at, format!("{value} is not an integer")))
        }
    }

    fn evaluate_number(&mut self, expression: &Expression) -> Result<Value, Ending> {
        let value = self.evaluate(expression)?;
        if value.is_number() {
            Ok(value)
        } else {
            Err(undefined(expression.at, format!("{value} is not a number")))
        }
    }
}

fn undefined(at: Position, message: String) -> Ending {
    ScriptError { at, message }.into()
}

fn undefined_variable(at: Position, name: &str) -> Ending {
    undefined(at, format!("the variable '{name}' is not set"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_read_after_any_number_of_steps() {
        let bounds = Bounds { time: Duration::MAX, memory: 0, should_stop: &|| true };
        let mut clock = Clock { bounds, began: Duration::ZERO, unchecked: 0, is_late: false };
        for large in [STEPS, u64::from(u32::MAX), u64::MAX, u64::MAX] {
            assert!(clock.charge(large));
            assert!(!clock.charge(STEPS - 1));
        }
        assert!(clock.charge(1));
    }
}
