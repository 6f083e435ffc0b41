//! Parses the tokens of a script into its syntax tree.
//!
//! Operators have the precedences of checktestdata's grammar: `^`, `*/%`, `+-`, comparisons, then `&&` and `||` alike, all
//! left-associative. Nesting is bounded, and so is the height of expressions: walking a tree cannot exhaust the stack.

use super::lexer::{Token, TokenKind, tokens};
use super::syntax::{
    Command, CommandKind, Comparison, Decimals, Expression, ExpressionKind, Loop, Name, Notation, Operator,
    Position, Test, Variable,
};
use super::value::Value;
use super::{Script, ScriptError};

/// Most levels of nested parentheses, indices and blocks.
const DEEPEST: u32 = 64;
/// Most levels of operators in one expression or test.
const HIGHEST: u32 = 256;

/// Most bytes of all numbers of a script: a short text can mean a large number (`1E100000`).
const MOST_CONSTANTS: u64 = 8 << 20;

/// Parses a script.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Command>, ScriptError> {
    if text.len() as u64 > Script::LONGEST {
        let at = Position { line: 1, column: 1 };
        return Err(ScriptError { at, message: "the script has more than 1 MiB".to_owned() });
    }
    let mut parser = Parser { tokens: tokens(text)?, place: 0, depth: 0, constants: 0 };
    let commands = parser.commands()?;
    match parser.kind() {
        TokenKind::End => Ok(commands),
        _ => Err(parser.unexpected("a command")),
    }
}

/// An expression or a test: which of them is in parentheses is known only at the closing one.
enum Operand {
    Expression(Expression),
    Test(Test, u32),
}

struct Parser {
    tokens: Vec<Token>,
    place: usize,
    depth: u32,
    /// Bytes of the numbers that were read.
    constants: u64,
}

impl Parser {
    fn token(&self) -> &Token {
        // The last token is never passed.
        &self.tokens[self.place.min(self.tokens.len() - 1)]
    }

    fn kind(&self) -> &TokenKind {
        &self.token().kind
    }

    fn at(&self) -> Position {
        self.token().at
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T, ScriptError> {
        Err(ScriptError { at: self.at(), message: message.into() })
    }

    fn unexpected(&self, expected: &str) -> ScriptError {
        let found = match self.kind() {
            TokenKind::Keyword(word) | TokenKind::Symbol(word) => format!("'{word}'"),
            TokenKind::Name(name) => format!("'{name}'"),
            TokenKind::Integer(number) | TokenKind::Decimal(number) => format!("'{number}'"),
            TokenKind::Text(_) => "a string".to_owned(),
            TokenKind::End => "the end of the script".to_owned(),
        };
        ScriptError { at: self.at(), message: format!("expected {expected}, found {found}") }
    }

    fn accept(&mut self, word: &str) -> bool {
        let found = matches!(self.kind(), TokenKind::Keyword(own) | TokenKind::Symbol(own) if *own == word);
        self.place += usize::from(found);
        found
    }

    fn expect(&mut self, word: &str) -> Result<(), ScriptError> {
        if self.accept(word) { Ok(()) } else { Err(self.unexpected(&format!("'{word}'"))) }
    }

    fn deeper<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, ScriptError>,
    ) -> Result<T, ScriptError> {
        if self.depth >= DEEPEST {
            return self.error(format!("nested deeper than {DEEPEST} levels"));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// Returns the height of a node with two children.
    fn above(&self, left: u32, right: u32) -> Result<u32, ScriptError> {
        let height = left.max(right) + 1;
        if height > HIGHEST {
            self.error(format!("an expression of more than {HIGHEST} operators"))
        } else {
            Ok(height)
        }
    }

    fn commands(&mut self) -> Result<Vec<Command>, ScriptError> {
        let mut commands = Vec::new();
        loop {
            match self.kind() {
                TokenKind::End | TokenKind::Keyword("END" | "ELSE") => return Ok(commands),
                _ => commands.push(self.deeper(Self::command)?),
            }
        }
    }

    fn command(&mut self) -> Result<Command, ScriptError> {
        let at = self.at();
        let TokenKind::Keyword(keyword) = *self.kind() else { return Err(self.unexpected("a command")) };
        let kind = match keyword {
            "REP" | "REPI" | "WHILE" | "WHILEI" => {
                self.place += 1;
                self.repetition(keyword)?
            }
            "IF" => {
                self.place += 1;
                self.condition()?
            }
            _ => self.simple()?,
        };
        Ok(Command { at, kind })
    }

    /// Parses a command without a block.
    fn simple(&mut self) -> Result<CommandKind, ScriptError> {
        let TokenKind::Keyword(keyword) = *self.kind() else { return Err(self.unexpected("a command")) };
        match keyword {
            "SPACE" | "NEWLINE" | "EOF" => {
                self.place += 1;
                return Ok(match keyword {
                    "SPACE" => CommandKind::Space,
                    "NEWLINE" => CommandKind::Newline,
                    _ => CommandKind::Eof,
                });
            }
            "INT" | "FLOAT" | "FLOATP" | "STRING" | "REGEX" | "ASSERT" | "SET" | "UNSET" => self.place += 1,
            _ => return Err(self.unexpected("a command")),
        }
        self.expect("(")?;
        let kind = match keyword {
            "INT" => {
                let (min, max) = self.bounds()?;
                CommandKind::Int { min, max, name: self.optional_variable()? }
            }
            "FLOAT" | "FLOATP" => self.float(keyword == "FLOATP")?,
            "STRING" => CommandKind::Text(self.value()?),
            "REGEX" => CommandKind::Regex { pattern: self.value()?, name: self.optional_variable()? },
            "ASSERT" => CommandKind::Assert(self.test()?),
            "SET" => CommandKind::Set(self.list(|parser| {
                let variable = parser.variable()?;
                parser.expect("=")?;
                Ok((variable, parser.expression()?))
            })?),
            _ => CommandKind::Unset(self.list(Self::name)?),
        };
        self.expect(")")?;
        Ok(kind)
    }

    fn bounds(&mut self) -> Result<(Expression, Expression), ScriptError> {
        let min = self.expression()?;
        self.expect(",")?;
        Ok((min, self.expression()?))
    }

    fn float(&mut self, has_decimals: bool) -> Result<CommandKind, ScriptError> {
        let (min, max) = self.bounds()?;
        let mut decimals = None;
        if has_decimals {
            self.expect(",")?;
            let (min, max) = self.bounds()?;
            decimals = Some(Decimals { min, max });
        }
        let name = self.optional_variable()?;
        let notation = if name.is_some() && self.accept(",") {
            if self.accept("FIXED") {
                Notation::Fixed
            } else if self.accept("SCIENTIFIC") {
                Notation::Scientific
            } else {
                return Err(self.unexpected("FIXED or SCIENTIFIC"));
            }
        } else {
            Notation::Any
        };
        Ok(CommandKind::Float { min, max, decimals, name, notation })
    }

    fn repetition(&mut self, keyword: &str) -> Result<CommandKind, ScriptError> {
        self.expect("(")?;
        let counter = if keyword.ends_with('I') {
            let counter = self.variable()?;
            self.expect(",")?;
            Some(counter)
        } else {
            None
        };
        if keyword.starts_with("REP") {
            let count = self.expression()?;
            let block = self.block()?;
            Ok(CommandKind::Repeat { counter, count, block })
        } else {
            let condition = self.test()?;
            let block = self.block()?;
            Ok(CommandKind::While { counter, condition, block })
        }
    }

    fn block(&mut self) -> Result<Loop, ScriptError> {
        let separator = if self.accept(",") {
            let at = self.at();
            Some(Box::new(Command { at, kind: self.simple()? }))
        } else {
            None
        };
        self.expect(")")?;
        let body = self.commands()?;
        self.expect("END")?;
        Ok(Loop { separator, body })
    }

    fn condition(&mut self) -> Result<CommandKind, ScriptError> {
        self.expect("(")?;
        let condition = self.test()?;
        self.expect(")")?;
        let then = self.commands()?;
        let otherwise = if self.accept("ELSE") { self.commands()? } else { Vec::new() };
        self.expect("END")?;
        Ok(CommandKind::If { condition, then, otherwise })
    }

    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Result<T, ScriptError>) -> Result<Vec<T>, ScriptError> {
        let mut items = vec![item(self)?];
        while self.accept(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn name(&mut self) -> Result<Name, ScriptError> {
        let TokenKind::Name(name) = self.kind() else { return Err(self.unexpected("a variable")) };
        let name = name.clone();
        self.place += 1;
        Ok(name)
    }

    fn variable(&mut self) -> Result<Variable, ScriptError> {
        let at = self.at();
        let name = self.name()?;
        let mut indices = Vec::new();
        if self.accept("[") {
            indices = self.list(Self::expression)?;
            self.expect("]")?;
        }
        Ok(Variable { at, name, indices })
    }

    fn optional_variable(&mut self) -> Result<Option<Variable>, ScriptError> {
        if self.accept(",") { self.variable().map(Some) } else { Ok(None) }
    }

    fn expression(&mut self) -> Result<Expression, ScriptError> {
        let at = self.at();
        match self.sum()? {
            Operand::Expression(expression) => Ok(expression),
            Operand::Test(..) => {
                Err(ScriptError { at, message: "expected a value, found a test".to_owned() })
            }
        }
    }

    fn test(&mut self) -> Result<Test, ScriptError> {
        match self.deeper(Self::junction)? {
            Operand::Test(test, _) => Ok(test),
            Operand::Expression(..) => Err(self.unexpected("a comparison")),
        }
    }

    /// Parses tests joined by `&&` and `||`, or a single expression.
    fn junction(&mut self) -> Result<Operand, ScriptError> {
        let mut left = self.comparison()?;
        loop {
            let is_and = self.accept("&&");
            if !is_and && !self.accept("||") {
                return Ok(left);
            }
            let Operand::Test(first, height) = left else {
                return self.error("expected a test before '&&' or '||'");
            };
            let Operand::Test(second, other) = self.comparison()? else {
                return Err(self.unexpected("a comparison"));
            };
            let height = self.above(height, other)?;
            let (first, second) = (Box::new(first), Box::new(second));
            left = Operand::Test(
                if is_and { Test::And(first, second) } else { Test::Or(first, second) },
                height,
            );
        }
    }

    fn comparison(&mut self) -> Result<Operand, ScriptError> {
        if self.accept("!") {
            // It takes in the tests after it, as in checktestdata.
            let Operand::Test(test, height) = self.deeper(Self::junction)? else {
                return Err(self.unexpected("a comparison"));
            };
            return Ok(Operand::Test(Test::Not(Box::new(test)), self.above(height, 0)?));
        }
        if let Some(test) = self.named_test()? {
            return Ok(Operand::Test(test, 1));
        }
        let left = self.sum()?;
        let Operand::Expression(first) = left else { return Ok(left) };
        let comparison = match self.kind() {
            TokenKind::Symbol("<") => Comparison::Less,
            TokenKind::Symbol(">") => Comparison::Greater,
            TokenKind::Symbol("<=") => Comparison::LessOrEqual,
            TokenKind::Symbol(">=") => Comparison::GreaterOrEqual,
            TokenKind::Symbol("==") => Comparison::Equal,
            TokenKind::Symbol("!=") => Comparison::NotEqual,
            _ => return Ok(Operand::Expression(first)),
        };
        self.place += 1;
        let second = self.expression()?;
        let height = self.above(first.height, second.height)?;
        Ok(Operand::Test(Test::Compare(comparison, first, second), height))
    }

    fn named_test(&mut self) -> Result<Option<Test>, ScriptError> {
        let at = self.at();
        if self.accept("ISEOF") {
            return Ok(Some(Test::IsEof));
        }
        let TokenKind::Keyword(keyword @ ("MATCH" | "UNIQUE" | "INARRAY")) = *self.kind() else {
            return Ok(None);
        };
        self.place += 1;
        self.expect("(")?;
        let test = match keyword {
            "MATCH" => Test::Match(self.value()?),
            "UNIQUE" => Test::Unique(at, self.list(Self::name)?),
            _ => {
                let value = self.expression()?;
                self.expect(",")?;
                Test::InArray(value, at, self.variable()?.name)
            }
        };
        self.expect(")")?;
        Ok(Some(test))
    }

    fn sum(&mut self) -> Result<Operand, ScriptError> {
        self.chain(&[("+", Operator::Add), ("-", Operator::Subtract)], Self::product)
    }

    fn product(&mut self) -> Result<Operand, ScriptError> {
        let operators = [("*", Operator::Multiply), ("/", Operator::Divide), ("%", Operator::Remainder)];
        self.chain(&operators, Self::factor)
    }

    /// Parses a factor: a minus sign binds less tightly than `^` and more tightly than the other operators.
    fn factor(&mut self) -> Result<Operand, ScriptError> {
        let at = self.at();
        if self.accept("-") {
            let Operand::Expression(inner) = self.deeper(Self::factor)? else {
                return Err(self.unexpected("a value"));
            };
            let height = self.above(inner.height, 0)?;
            let kind = ExpressionKind::Negate(Box::new(inner));
            return Ok(Operand::Expression(Expression { at, kind, height }));
        }
        self.chain(&[("^", Operator::Power)], Self::base)
    }

    fn chain(
        &mut self,
        operators: &[(&str, Operator)],
        operand: fn(&mut Self) -> Result<Operand, ScriptError>,
    ) -> Result<Operand, ScriptError> {
        let mut left = operand(self)?;
        loop {
            let at = self.at();
            let accepted = operators
                .iter()
                .find(|(symbol, _)| matches!(self.kind(), TokenKind::Symbol(own) if own == symbol));
            let Some((_, operator)) = accepted else { return Ok(left) };
            let Operand::Expression(first) = left else { return self.error("a test is not a value") };
            self.place += 1;
            let Operand::Expression(second) = operand(self)? else {
                return Err(ScriptError { at, message: "a test is not a value".to_owned() });
            };
            let height = self.above(first.height, second.height)?;
            let kind = ExpressionKind::Binary(*operator, Box::new(first), Box::new(second));
            left = Operand::Expression(Expression { at, kind, height });
        }
    }

    /// Parses a value, an expression in parentheses, or a minus sign after `^`.
    fn base(&mut self) -> Result<Operand, ScriptError> {
        if matches!(self.kind(), TokenKind::Symbol("-")) {
            return self.deeper(Self::factor);
        }
        if self.accept("(") {
            let inner = self.deeper(Self::junction)?;
            self.expect(")")?;
            return Ok(inner);
        }
        Ok(Operand::Expression(self.value()?))
    }

    fn value(&mut self) -> Result<Expression, ScriptError> {
        let at = self.at();
        let kind = match self.kind() {
            TokenKind::Integer(number) if number.len() > 1 && number.starts_with('0') => {
                return self.error(format!("'{number}': an integer has no leading zeros"));
            }
            TokenKind::Integer(number) | TokenKind::Decimal(number) => match Value::of_literal(number) {
                Some(value) => {
                    self.constants += value.size();
                    if self.constants > MOST_CONSTANTS {
                        return self.error("the numbers of the script take more than 8 MiB");
                    }
                    ExpressionKind::Constant(value)
                }
                None => return self.error("this number has too many digits"),
            },
            TokenKind::Text(text) => ExpressionKind::Constant(Value::Text(text.clone())),
            TokenKind::Name(_) => {
                let variable = self.deeper(Self::variable)?;
                let height = variable.indices.iter().map(|index| index.height).max().unwrap_or(0);
                let height = self.above(height, 0)?;
                return Ok(Expression { at, kind: ExpressionKind::Variable(variable), height });
            }
            TokenKind::Keyword("STRLEN") => {
                self.place += 1;
                self.expect("(")?;
                let text = self.deeper(Self::value)?;
                self.expect(")")?;
                let height = self.above(text.height, 0)?;
                return Ok(Expression { at, kind: ExpressionKind::Length(Box::new(text)), height });
            }
            _ => return Err(self.unexpected("a value")),
        };
        self.place += 1;
        Ok(Expression { at, kind, height: 1 })
    }
}
