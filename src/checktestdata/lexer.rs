//! Splits a script into tokens.

use std::sync::Arc;

use super::ScriptError;
use super::syntax::Position;

/// A token and its position.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) at: Position,
    pub(super) kind: TokenKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    /// One of [`KEYWORDS`].
    Keyword(&'static str),
    /// One of [`SYMBOLS`].
    Symbol(&'static str),
    Name(Arc<str>),
    Integer(String),
    Decimal(String),
    Text(Arc<[u8]>),
    End,
}

/// A keyword stands before those that it begins with, because keywords need no space between them.
const KEYWORDS: [&str; 25] = [
    "SCIENTIFIC",
    "INARRAY",
    "NEWLINE",
    "ASSERT",
    "FLOATP",
    "STRING",
    "STRLEN",
    "UNIQUE",
    "WHILEI",
    "FIXED",
    "FLOAT",
    "ISEOF",
    "MATCH",
    "REGEX",
    "SPACE",
    "UNSET",
    "WHILE",
    "ELSE",
    "REPI",
    "END",
    "EOF",
    "INT",
    "REP",
    "SET",
    "IF",
];

const SYMBOLS: [&str; 20] = [
    "&&", "||", "<=", ">=", "==", "!=", "<", ">", "=", "!", "(", ")", "[", "]", ",", "+", "-", "*", "/", "%",
];
const POWER: &str = "^";

/// Splits a script into tokens; the last is [`TokenKind::End`].
pub(super) fn tokens(text: &[u8]) -> Result<Vec<Token>, ScriptError> {
    let mut lexer = Lexer { text, place: 0, at: Position { line: 1, column: 1 } };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blank();
        let at = lexer.at;
        let kind = lexer.token()?;
        let is_last = kind == TokenKind::End;
        tokens.push(Token { at, kind });
        if is_last {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a [u8],
    place: usize,
    at: Position,
}

impl Lexer<'_> {
    fn rest(&self) -> &[u8] {
        self.text.get(self.place..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.place).copied()
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            if self.peek() == Some(b'\n') {
                self.at = Position { line: self.at.line + 1, column: 1 };
            } else {
                self.at.column += 1;
            }
            self.place += 1;
        }
    }

    fn skip_blank(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.skip(1),
                b'#' => {
                    let length = self.rest().iter().position(|byte| *byte == b'\n');
                    self.skip(length.unwrap_or(self.rest().len()));
                }
                _ => return,
            }
        }
    }

    fn token(&mut self) -> Result<TokenKind, ScriptError> {
        let Some(first) = self.peek() else { return Ok(TokenKind::End) };
        match first {
            b'"' => return self.text(),
            b'0'..=b'9' => return Ok(self.number()),
            b'a'..=b'z' => {
                let name = self.take_while(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
                return Ok(TokenKind::Name(name.into()));
            }
            _ => {}
        }
        let starts = |word: &&&'static str| self.rest().starts_with(word.as_bytes());
        if let Some(keyword) = KEYWORDS.iter().find(starts) {
            self.skip(keyword.len());
            return Ok(TokenKind::Keyword(keyword));
        }
        let symbols = SYMBOLS.iter().chain(std::iter::once(&POWER));
        if let Some(symbol) = symbols.into_iter().find(starts) {
            self.skip(symbol.len());
            return Ok(TokenKind::Symbol(symbol));
        }
        let word: Vec<u8> =
            self.rest().iter().copied().take_while(u8::is_ascii_alphanumeric).take(40).collect();
        let word = if word.is_empty() { vec![first] } else { word };
        Err(self.error(format!("unexpected '{}'", word.escape_ascii())))
    }

    fn take_while(&mut self, belongs: impl Fn(u8) -> bool) -> String {
        let length = self.rest().iter().take_while(|byte| belongs(**byte)).count();
        let taken = String::from_utf8_lossy(&self.rest()[..length]).into_owned();
        self.skip(length);
        taken
    }

    /// Reads a number: digits, optionally a point and digits, optionally an exponent.
    fn number(&mut self) -> TokenKind {
        let mut number = self.take_while(|byte| byte.is_ascii_digit());
        let mut is_decimal = false;
        if self.peek() == Some(b'.') {
            self.skip(1);
            number.push('.');
            number += &self.take_while(|byte| byte.is_ascii_digit());
            is_decimal = true;
        }
        let sign = usize::from(matches!(self.rest().get(1), Some(b'+' | b'-')));
        let is_exponent = matches!(self.peek(), Some(b'e' | b'E'))
            && self.rest().get(1 + sign).is_some_and(u8::is_ascii_digit);
        if is_exponent {
            number += &String::from_utf8_lossy(&self.rest()[..=sign]);
            self.skip(1 + sign);
            number += &self.take_while(|byte| byte.is_ascii_digit());
            is_decimal = true;
        }
        if is_decimal { TokenKind::Decimal(number) } else { TokenKind::Integer(number) }
    }

    /// Reads a string constant, which may have several lines.
    fn text(&mut self) -> Result<TokenKind, ScriptError> {
        let began = self.at;
        self.skip(1);
        let mut text = Vec::new();
        loop {
            let Some(byte) = self.peek() else {
                let message = "this string has no closing '\"'".to_owned();
                return Err(ScriptError { at: began, message });
            };
            match byte {
                b'"' => {
                    self.skip(1);
                    return Ok(TokenKind::Text(text.into()));
                }
                b'\\' => self.escape(&mut text)?,
                other => {
                    text.push(other);
                    self.skip(1);
                }
            }
        }
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), ScriptError> {
        let Some(byte) = self.rest().get(1).copied() else {
            self.skip(1);
            return Ok(());
        };
        let plain = match byte {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 8,
            b'f' => 12,
            b'"' | b'\\' => byte,
            b'\n' => {
                self.skip(2);
                return Ok(());
            }
            b'0'..=b'7' => {
                let digits =
                    self.rest()[1..].iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
                let digits = &self.rest()[1..=digits];
                let value = digits.iter().fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'));
                let length = digits.len();
                let byte = u8::try_from(value)
                    .map_err(|_| self.error("an octal escape must be at most \\377".to_owned()))?;
                text.push(byte);
                self.skip(1 + length);
                return Ok(());
            }
            // Any other backslash stands for itself.
            other => {
                text.push(b'\\');
                other
            }
        };
        text.push(plain);
        self.skip(2);
        Ok(())
    }

    fn error(&self, message: String) -> ScriptError {
        ScriptError { at: self.at, message }
    }
}
