//! Implements the values of scripts: large integers, exact fractions and byte strings.
//!
//! Sizes are bounded: every operation takes less than a second, so that a check can stop between two operations.
//! [`Value::work`] and its siblings estimate the work of an operation before it begins.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Pow, Signed, ToPrimitive, Zero};

use super::syntax::Operator;

/// Most bits of an integer: 78,000 decimal digits.
const INTEGER_BITS: u64 = 1 << 18;
/// Most bits of numerators and denominators in arithmetic: reducing a fraction takes quadratic time.
const FRACTION_BITS: u64 = 1 << 16;
/// Most decimal digits of a fraction in an input or a script.
const FRACTION_DIGITS: usize = 9_000;
/// Largest power of ten of a fraction in an input or a script: scripts write `1E100000` for a bound that nothing reaches.
pub(super) const LARGEST_POWER: i64 = 120_000;

/// Machine words that arithmetic visits in about the time of one step of a script.
const WORDS_PER_STEP: u64 = 64;

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Small(i64),
    /// An integer that does not fit into [`Value::Small`].
    Big(Arc<BigInt>),
    Fraction(Arc<BigRational>),
    Text(Arc<[u8]>),
}

/// Why the result of an operation is undefined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Undefined {
    #[error("arithmetic needs numbers, and this is a string")]
    Text,
    #[error("a string cannot be compared with a number")]
    Mixed,
    #[error("division by zero")]
    Zero,
    #[error("'%' needs integers")]
    Remainder,
    #[error("the exponent of '^' must be an integer that is not negative")]
    Exponent,
    #[error("a number with more digits than are supported")]
    TooLarge,
}

/// A value in the form that is compared and hashed: equal numbers have one form.
#[derive(PartialEq, Eq, Hash)]
enum Canonical<'a> {
    Small(i64),
    Big(&'a BigInt),
    /// Numerator and denominator, coprime. `BigRational` itself is neither hashed nor compared: both recurse once for every
    /// term of its continued fraction.
    Fraction(&'a BigInt, &'a BigInt),
    Text(&'a [u8]),
}

impl Value {
    /// Returns the number of a literal; `None` where it is too large.
    pub(super) fn of_literal(text: &str) -> Option<Self> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let fits = text.len() as u64 * 10 / 3 < INTEGER_BITS;
            return if fits { text.parse().ok().map(Self::of_integer) } else { None };
        }
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        Self::of_decimal(false, &format!("{whole}{fraction}"), exponent.parse().ok()?, fraction.len())
    }

    /// Returns the number `digits` × 10^(`exponent` - `decimals`); `None` where it is too large, or too close to zero.
    pub(super) fn of_decimal(negative: bool, digits: &str, exponent: i64, decimals: usize) -> Option<Self> {
        let scale = exponent.checked_sub(i64::try_from(decimals).ok()?)?;
        if digits.len() > FRACTION_DIGITS || scale.abs() > LARGEST_POWER + 10_000 {
            return None;
        }
        let mantissa: BigInt = digits.parse().ok()?;
        let mantissa = if negative { -mantissa } else { mantissa };
        let power = u32::try_from(scale.unsigned_abs()).ok()?;
        let fraction = if mantissa.is_zero() {
            BigRational::zero()
        } else if scale < 0 {
            divide_by_power_of_ten(mantissa, power)
        } else {
            BigRational::from_integer(mantissa * BigInt::from(10).pow(power))
        };
        Some(Self::Fraction(Arc::new(fraction)))
    }

    pub(super) fn of_integer(integer: BigInt) -> Self {
        integer.to_i64().map_or_else(|| Self::Big(Arc::new(integer)), Self::Small)
    }

    fn of_fraction(fraction: BigRational) -> Result<Self, Undefined> {
        if fraction.numer().bits() > FRACTION_BITS || fraction.denom().bits() > FRACTION_BITS {
            return Err(Undefined::TooLarge);
        }
        Ok(Self::Fraction(Arc::new(fraction)))
    }

    fn bounded(integer: BigInt) -> Result<Self, Undefined> {
        if integer.bits() > INTEGER_BITS { Err(Undefined::TooLarge) } else { Ok(Self::of_integer(integer)) }
    }

    /// Returns the integer; `None` for fractions, even those without a fractional part, and strings.
    fn integer(&self) -> Option<BigInt> {
        match self {
            Self::Small(integer) => Some((*integer).into()),
            Self::Big(integer) => Some((**integer).clone()),
            Self::Fraction(_) | Self::Text(_) => None,
        }
    }

    pub(super) fn is_integer(&self) -> bool {
        matches!(self, Self::Small(_) | Self::Big(_))
    }

    pub(super) fn is_number(&self) -> bool {
        !matches!(self, Self::Text(_))
    }

    fn fraction(&self) -> Result<BigRational, Undefined> {
        match self {
            Self::Small(integer) => Ok(BigRational::from_integer((*integer).into())),
            Self::Big(integer) if integer.bits() > FRACTION_BITS => Err(Undefined::TooLarge),
            Self::Big(integer) => Ok(BigRational::from_integer((**integer).clone())),
            Self::Fraction(fraction)
                if fraction.numer().bits().max(fraction.denom().bits()) > FRACTION_BITS =>
            {
                Err(Undefined::TooLarge)
            }
            Self::Fraction(fraction) => Ok((**fraction).clone()),
            Self::Text(_) => Err(Undefined::Text),
        }
    }

    pub(super) fn text(&self) -> Option<&Arc<[u8]>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the sign; strings count as zero.
    pub(super) fn sign(&self) -> Ordering {
        match self {
            Self::Small(integer) => integer.cmp(&0),
            Self::Big(integer) if integer.is_negative() => Ordering::Less,
            Self::Big(_) => Ordering::Greater,
            Self::Fraction(fraction) => fraction.numer().cmp(&BigInt::zero()),
            Self::Text(_) => Ordering::Equal,
        }
    }

    /// Returns the bytes that storing it takes.
    pub(super) fn size(&self) -> u64 {
        let bits = match self {
            Self::Small(_) => 0,
            Self::Big(integer) => integer.bits() + 512,
            Self::Fraction(fraction) => fraction.numer().bits() + fraction.denom().bits() + 1024,
            Self::Text(text) => text.len() as u64 * 8 + 256,
        };
        24 + bits / 8
    }

    /// Returns the bits of an integer, of numerator and denominator together, or of a string.
    fn bits(&self) -> u64 {
        match self {
            Self::Small(integer) => u64::from(64 - integer.unsigned_abs().leading_zeros()),
            Self::Big(integer) => integer.bits(),
            Self::Fraction(fraction) => fraction.numer().bits() + fraction.denom().bits(),
            Self::Text(text) => text.len() as u64 * 8,
        }
    }

    /// Estimates the work of [`Value::apply`], in steps of a script.
    pub(super) fn work(&self, operator: Operator, other: &Self) -> u64 {
        let (left, right) = (self.bits(), other.bits());
        let visited = match (operator, other) {
            (Operator::Power, Self::Small(exponent)) => {
                let result = left.saturating_mul(exponent.unsigned_abs()).min(INTEGER_BITS);
                words(result) * words(result)
            }
            (Operator::Power, _) => 0,
            (Operator::Add | Operator::Subtract, _) if self.is_integer() && other.is_integer() => {
                words(left) + words(right)
            }
            _ if self.is_integer() && other.is_integer() => words(left) * words(right),
            // A greatest common divisor takes about a pass over the words for each bit.
            _ => (left + right).saturating_mul(words(left + right)),
        };
        visited / WORDS_PER_STEP
    }

    /// Estimates the work of [`Value::order`], in steps of a script.
    pub(super) fn comparison_work(&self, other: &Self) -> u64 {
        let (left, right) = (words(self.bits()), words(other.bits()));
        let visited = match (self, other) {
            (Self::Fraction(_), _) | (_, Self::Fraction(_)) => left * right,
            _ => left + right,
        };
        visited / WORDS_PER_STEP
    }

    /// Estimates the work of hashing, copying or searching it, in steps of a script.
    pub(super) fn pass_work(&self) -> u64 {
        words(self.bits()) / WORDS_PER_STEP
    }

    pub(super) fn negate(&self) -> Result<Self, Undefined> {
        match self {
            Self::Fraction(fraction) => Ok(Self::Fraction(Arc::new(-&**fraction))),
            _ => Self::Small(0).apply(Operator::Subtract, self),
        }
    }

    pub(super) fn apply(&self, operator: Operator, other: &Self) -> Result<Self, Undefined> {
        if let (Self::Small(left), Self::Small(right)) = (self, other) {
            let result = match operator {
                Operator::Add => left.checked_add(*right),
                Operator::Subtract => left.checked_sub(*right),
                Operator::Multiply => left.checked_mul(*right),
                Operator::Divide => left.checked_div(*right),
                Operator::Remainder => left.checked_rem(*right),
                Operator::Power => None,
            };
            if let Some(result) = result {
                return Ok(Self::Small(result));
            }
        }
        if matches!((self, other), (Self::Text(_), _) | (_, Self::Text(_))) {
            return Err(Undefined::Text);
        }
        if operator == Operator::Power {
            return self.power(other);
        }
        match (self.integer(), other.integer()) {
            (Some(left), Some(right)) => {
                if matches!(operator, Operator::Divide | Operator::Remainder) && right.is_zero() {
                    return Err(Undefined::Zero);
                }
                Self::bounded(match operator {
                    Operator::Add => left + right,
                    Operator::Subtract => left - right,
                    Operator::Multiply => left * right,
                    Operator::Divide => left / right,
                    _ => left % right,
                })
            }
            _ => {
                let (left, right) = (self.fraction()?, other.fraction()?);
                Self::of_fraction(match operator {
                    Operator::Add => sum(&left, &right),
                    Operator::Subtract => sum(&left, &-right),
                    Operator::Multiply => product(&left, &right),
                    Operator::Divide if right.is_zero() => return Err(Undefined::Zero),
                    Operator::Divide => product(&left, &right.recip()),
                    _ => return Err(Undefined::Remainder),
                })
            }
        }
    }

    fn power(&self, exponent: &Self) -> Result<Self, Undefined> {
        let exponent = match exponent {
            Self::Small(exponent) => u64::try_from(*exponent).map_err(|_| Undefined::Exponent)?,
            Self::Big(_) if exponent.sign().is_gt() => u64::MAX,
            _ => return Err(Undefined::Exponent),
        };
        if let Self::Small(base @ -1..=1) = self {
            let is_one = exponent == 0 || *base == 1 || (*base == -1 && exponent % 2 == 0);
            return Ok(Self::Small(if is_one { 1 } else { *base }));
        }
        let (bits, most) = match self {
            Self::Fraction(base) => (base.numer().bits().max(base.denom().bits()), FRACTION_BITS),
            _ => (self.integer().map_or(0, |base| base.bits()), INTEGER_BITS),
        };
        if bits.saturating_mul(exponent) > most {
            return Err(Undefined::TooLarge);
        }
        let exponent = u32::try_from(exponent).map_err(|_| Undefined::TooLarge)?;
        match self {
            Self::Fraction(base) => {
                // Both are coprime, so their powers are.
                let (numerator, denominator) = (base.numer().pow(exponent), base.denom().pow(exponent));
                Self::of_fraction(BigRational::new_raw(numerator, denominator))
            }
            _ => Self::bounded(self.integer().unwrap_or_default().pow(exponent)),
        }
    }

    /// Compares two values: numbers by size, strings by their bytes.
    pub(super) fn order(&self, other: &Self) -> Result<Ordering, Undefined> {
        match (self, other) {
            (Self::Text(left), Self::Text(right)) => Ok(left.cmp(right)),
            (Self::Text(_), _) | (_, Self::Text(_)) => Err(Undefined::Mixed),
            (Self::Small(left), Self::Small(right)) => Ok(left.cmp(right)),
            _ => {
                let (left, right) = (self.parts(), other.parts());
                Ok(order_fractions((&left.0, &left.1), (&right.0, &right.1)))
            }
        }
    }

    /// Returns numerator and denominator; zero for strings.
    fn parts(&self) -> (Cow<'_, BigInt>, Cow<'_, BigInt>) {
        let whole = |numerator| (numerator, Cow::Owned(BigInt::one()));
        match self {
            Self::Small(integer) => whole(Cow::Owned((*integer).into())),
            Self::Big(integer) => whole(Cow::Borrowed(&**integer)),
            Self::Fraction(fraction) => (Cow::Borrowed(fraction.numer()), Cow::Borrowed(fraction.denom())),
            Self::Text(_) => whole(Cow::Owned(BigInt::zero())),
        }
    }

    fn canonical(&self) -> Canonical<'_> {
        match self {
            Self::Small(integer) => Canonical::Small(*integer),
            Self::Big(integer) => Canonical::Big(integer),
            Self::Fraction(fraction) if fraction.is_integer() => {
                fraction.numer().to_i64().map_or_else(|| Canonical::Big(fraction.numer()), Canonical::Small)
            }
            Self::Fraction(fraction) => Canonical::Fraction(fraction.numer(), fraction.denom()),
            Self::Text(text) => Canonical::Text(text),
        }
    }
}

fn words(bits: u64) -> u64 {
    bits / 64 + 1
}

/// Estimates the work of converting a number of that many decimal digits, in steps of a script.
pub(super) fn conversion_work(digits: u64) -> u64 {
    let words = words(digits.saturating_mul(10) / 3);
    words.saturating_mul(words) / WORDS_PER_STEP
}

/// Adds two fractions. The greatest common divisors are those of denominators, not of products as in `BigRational`
/// (Knuth, The Art of Computer Programming, volume 2, section 4.5.1).
fn sum(left: &BigRational, right: &BigRational) -> BigRational {
    let common = left.denom().gcd(right.denom());
    let (first, second) = (left.denom() / &common, right.denom() / &common);
    let numerator = left.numer() * second + right.numer() * &first;
    let shared = (&numerator % &common).gcd(&common);
    BigRational::new_raw(numerator / &shared, first * (right.denom() / shared))
}

/// Multiplies two fractions: reducing before the product needs no greatest common divisor of products.
fn product(left: &BigRational, right: &BigRational) -> BigRational {
    let (first, second) = (left.numer().gcd(right.denom()), right.numer().gcd(left.denom()));
    let numerator = (left.numer() / &first) * (right.numer() / &second);
    BigRational::new_raw(numerator, (left.denom() / second) * (right.denom() / first))
}

/// Returns `numerator` / 10^`power`; the numerator is not zero. Only 2 and 5 divide a power of ten: no general greatest common divisor
/// is needed, which is slow for large powers.
fn divide_by_power_of_ten(mut numerator: BigInt, power: u32) -> BigRational {
    let twos = numerator.trailing_zeros().map_or(0, |zeros| u32::try_from(zeros).unwrap_or(power)).min(power);
    numerator >>= twos;
    let mut fives = 0;
    while fives < power && (&numerator % 5_u32).is_zero() {
        numerator /= 5_u32;
        fives += 1;
    }
    BigRational::new_raw(numerator, BigInt::from(5).pow(power - fives) << (power - twos))
}

/// Compares two fractions, given by numerator and positive denominator, by cross-multiplication.
fn order_fractions(left: (&BigInt, &BigInt), right: (&BigInt, &BigInt)) -> Ordering {
    let signs = left.0.sign().cmp(&right.0.sign());
    if signs.is_ne() || left.0.is_zero() {
        return signs;
    }
    // A product has as many bits as its factors together, or one less.
    let (first, second) = (left.0.bits() + right.1.bits(), right.0.bits() + left.1.bits());
    if first.abs_diff(second) > 1 {
        return if left.0.is_negative() { second.cmp(&first) } else { first.cmp(&second) };
    }
    (left.0 * right.1).cmp(&(right.0 * left.1))
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.canonical() == other.canonical()
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical().hash(state);
    }
}

impl fmt::Display for Value {
    /// Returns a text for messages, of about 40 characters at most.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: u64 = 130;
        match self {
            Self::Small(integer) => write!(formatter, "{integer}"),
            Self::Big(integer) if integer.bits() <= LONGEST => write!(formatter, "{integer}"),
            Self::Big(integer) => write!(formatter, "an integer of {} bits", integer.bits()),
            Self::Fraction(fraction) => match fraction.to_f64() {
                Some(float) if float.is_finite() => write!(formatter, "{float:?}"),
                _ => write!(formatter, "a very large number"),
            },
            Self::Text(text) => {
                let shown: String = text
                    .iter()
                    .take(40)
                    .copied()
                    .flat_map(std::ascii::escape_default)
                    .map(char::from)
                    .collect();
                let more = if text.len() > 40 { "…" } else { "" };
                write!(formatter, "\"{shown}{more}\"")
            }
        }
    }
}
