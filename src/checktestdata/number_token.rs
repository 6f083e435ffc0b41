//! Reads the integers and decimal numbers of an input, and compares them with their bounds.
//!
//! A number may have any length and any exponent: only digits that fit into a value are kept, and larger numbers are compared
//! by their magnitude.

use std::cmp::Ordering;

use super::syntax::Notation;
use super::value::{LARGEST_POWER, Value, conversion_work};

/// Digits of a number that are kept: more than any integer of a script has. One digit more marks a longer number.
const KEPT_DIGITS: usize = 87_381;
/// Exponents stop growing here, far beyond what any value can have.
const EXPONENT: i64 = 1 << 40;

/// A number as written in the input.
#[derive(Debug, Default)]
pub(super) struct NumberToken {
    pub(super) negative: bool,
    /// Number of leading zeros.
    leading_zeros: u64,
    /// Significant digits, at most [`KEPT_DIGITS`] + 1.
    digits: String,
    /// Number of digits, including those that are not kept.
    pub(super) count: u64,
    /// Number of digits before the point.
    pub(super) whole: u64,
    /// Number of digits after the point.
    pub(super) decimals: u64,
    pub(super) has_point: bool,
    pub(super) has_exponent: bool,
    exponent: i64,
    exponent_negative: bool,
    exponent_digits: u64,
    exponent_starts_with_zero: bool,
}

/// A number as a value, or its position relative to all values.
#[derive(Debug)]
pub(super) enum Magnitude {
    Value(Value),
    /// Larger or smaller than every value; `Equal` where that is unknown.
    Infinite(Ordering),
    /// Nearer to zero than every other value, above or below zero.
    Infinitesimal(Ordering),
}

impl NumberToken {
    pub(super) fn new(negative: bool) -> Self {
        Self { negative, ..Self::default() }
    }

    pub(super) fn push_digit(&mut self, digit: u8) {
        self.count += 1;
        if self.has_point {
            self.decimals += 1;
        } else {
            self.whole += 1;
        }
        if self.digits.is_empty() && digit == b'0' {
            self.leading_zeros += 1;
        } else if self.digits.len() <= KEPT_DIGITS {
            self.digits.push(char::from(digit));
        }
    }

    pub(super) fn push_exponent_digit(&mut self, digit: u8) {
        self.exponent_starts_with_zero |= self.exponent_digits == 0 && digit == b'0';
        self.exponent_digits += 1;
        if self.exponent < EXPONENT {
            self.exponent = self.exponent * 10 + i64::from(digit - b'0');
        }
    }

    pub(super) fn begin_exponent(&mut self, negative: bool) {
        self.has_exponent = true;
        self.exponent_negative = negative;
    }

    pub(super) fn starts_with_zero(&self) -> bool {
        self.leading_zeros > 0
    }

    /// Returns why the token is not a valid integer.
    pub(super) fn integer_fault(&self) -> Option<&'static str> {
        match self.count {
            0 => Some("expected an integer"),
            _ if self.negative && self.starts_with_zero() => Some("a minus sign before a zero"),
            2.. if self.starts_with_zero() => Some("leading zeros"),
            _ => None,
        }
    }

    /// Returns why the token is not a valid decimal number; `decimals` are the least and the most number of decimals.
    pub(super) fn decimal_fault(&self, notation: Notation, decimals: Option<(i64, i64)>) -> Option<String> {
        let fixed = |fault: &str| Some(fault.to_owned());
        if self.count == 0 {
            return fixed("expected a number");
        }
        if self.starts_with_zero() && self.whole > 1 {
            return fixed("leading zeros");
        }
        if self.has_point && self.decimals == 0 {
            return fixed("expected a digit after the point");
        }
        if notation == Notation::Scientific && !self.has_exponent {
            return fixed("expected an exponent");
        }
        if self.has_exponent && self.exponent_digits == 0 {
            return fixed("expected a digit of the exponent");
        }
        if self.exponent_digits > 1 && self.exponent_starts_with_zero {
            return fixed("leading zeros in the exponent");
        }
        let (least, most) = decimals?;
        if self.has_exponent && (self.starts_with_zero() || !self.has_point || self.whole != 1) {
            return fixed("expected exactly one digit, not zero, before the point");
        }
        let count = i64::try_from(self.decimals).unwrap_or(i64::MAX);
        if count < least || count > most {
            return Some(format!("{count} decimals are not in [{least}, {most}]"));
        }
        None
    }

    /// Estimates the work of [`NumberToken::integer`] and [`NumberToken::decimal`], in steps of a script.
    pub(super) fn work(&self) -> u64 {
        let largest = LARGEST_POWER.unsigned_abs();
        let exponent = self.exponent.unsigned_abs().min(largest);
        conversion_work(self.digits.len() as u64 + self.decimals.min(largest) + exponent)
    }

    pub(super) fn integer(&self) -> Magnitude {
        let sign = if self.negative { Ordering::Less } else { Ordering::Greater };
        if self.digits.len() > KEPT_DIGITS {
            return Magnitude::Infinite(sign);
        }
        if self.digits.is_empty() {
            return Magnitude::Value(Value::Small(0));
        }
        let text = if self.negative { format!("-{}", self.digits) } else { self.digits.clone() };
        text.parse().map_or(Magnitude::Infinite(sign), |integer| Magnitude::Value(Value::of_integer(integer)))
    }

    pub(super) fn decimal(&self) -> Magnitude {
        if self.digits.is_empty() {
            return Magnitude::Value(Value::of_decimal(false, "0", 0, 0).unwrap_or(Value::Small(0)));
        }
        let sign = if self.negative { Ordering::Less } else { Ordering::Greater };
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let exponent = if self.exponent_negative { -self.exponent } else { self.exponent };
        let power = exponent.saturating_add(signed(self.whole)).saturating_sub(signed(self.leading_zeros));
        if power > LARGEST_POWER {
            return Magnitude::Infinite(sign);
        }
        if power < -LARGEST_POWER {
            return Magnitude::Infinitesimal(sign);
        }
        // The zeros at its end are a power of ten.
        let kept = self.digits.trim_end_matches('0');
        let dropped = (self.digits.len() - kept.len()) as u64;
        let is_whole = self.count == self.leading_zeros + self.digits.len() as u64;
        let decimals = usize::try_from(self.decimals).unwrap_or(usize::MAX);
        let value = is_whole
            .then(|| {
                Value::of_decimal(self.negative, kept, exponent.saturating_add(signed(dropped)), decimals)
            })
            .flatten();
        // More digits than a value holds, in the midst of values.
        value.map_or(Magnitude::Infinite(Ordering::Equal), Magnitude::Value)
    }
}

impl Magnitude {
    /// Compares the number with a bound; `None` where the order is unknown.
    pub(super) fn compare(&self, bound: &Value) -> Option<Ordering> {
        match self {
            Self::Value(value) => value.order(bound).ok(),
            Self::Infinite(Ordering::Equal) => None,
            Self::Infinite(sign) => Some(*sign),
            Self::Infinitesimal(sign) => Some(match bound.sign() {
                Ordering::Equal => *sign,
                other => other.reverse(),
            }),
        }
    }
}
