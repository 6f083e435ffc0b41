//! What is a number, and which: the decimal numbers of the package formats, over a whole token.
//!
//! That is an optional sign, digits with an optional point (`1.` and `.5` too) and an optional decimal exponent
//! (ICPC 2025-09, "Default Output Validator Specification"). It is what `sscanf` with `%lf`, which older validators use,
//! takes for a number as well, less `inf`, `nan` and the hexadecimal spellings that no contest prints (`0x1p3`), and
//! less `1e` and `1e+`, which only some C libraries take. A value beyond the range of `double` is no number (and then
//! compares as text). Values are rounded once, to the nearest `double`, ties to even, however many digits there are;
//! only what is not zero never becomes zero: it is the smallest `double` at least, so that a tolerance of 0 tells
//! `1e-4000` from `0`.
//!
//! A number is read in pieces and in flat memory, because a contestant may print one of any length: beyond
//! [`DIGITS`] significant digits it only matters whether any is not zero.

/// Significant decimal digits kept: no `double`, nor a midpoint of two, has more than 768 of them, so one
/// more digit that says "and something" decides the rounding of any longer number.
const DIGITS: usize = 800;

/// Mantissas of decimal numbers are kept below ten times this, which 64 bits hold.
const DECIMAL_MANTISSA: u64 = 1_000_000_000_000_000_000;

/// The smallest `double` above zero, 2^-1074.
const SMALLEST: f64 = 5e-324;

/// Exponents stop growing here, far beyond any that matters and far from overflow.
const EXPONENT: i64 = 1 << 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Start,
    Signed,
    Whole,
    /// A point with no digit before it.
    BarePoint,
    Fraction,
    ExponentStart,
    ExponentSigned,
    Exponent,
    /// Nothing that follows can make a number of it.
    Dead,
}

/// Reads one number, fed piece by piece.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    state: State,
    negative: bool,
    /// The digits kept, while they fit.
    mantissa: u64,
    /// Decimal digits kept, all of them, once `mantissa` is full; no zeros in front.
    digits: Vec<u8>,
    /// Whether a digit that was not kept was not zero.
    inexact: bool,
    /// Power of ten the kept digits are to be multiplied with.
    scale: i64,
    exponent: i64,
    exponent_negative: bool,
}

impl Scanner {
    /// Starts over, keeping the memory.
    pub(super) fn reset(&mut self) {
        let mut digits = std::mem::take(&mut self.digits);
        digits.clear();
        *self = Self { digits, ..Self::default() };
    }

    /// Whether this can still become a number.
    pub(super) fn alive(&self) -> bool {
        self.state != State::Dead
    }

    /// Reads on.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            // Most bytes are digits after a digit; they need no look at the whole grammar.
            match self.state {
                State::Whole if byte.is_ascii_digit() => self.decimal_digit(*byte, false),
                State::Fraction if byte.is_ascii_digit() => self.decimal_digit(*byte, true),
                _ => self.state = self.step(*byte),
            }
            if self.state == State::Dead {
                return;
            }
        }
    }

    fn step(&mut self, byte: u8) -> State {
        use State::*;
        match (self.state, byte) {
            (Start, b'+') => Signed,
            (Start, b'-') => {
                self.negative = true;
                Signed
            }
            (Start | Signed | Whole, b'0'..=b'9') => {
                self.decimal_digit(byte, false);
                Whole
            }
            (Start | Signed, b'.') => BarePoint,
            (Whole, b'.') => Fraction,
            (BarePoint | Fraction, b'0'..=b'9') => {
                self.decimal_digit(byte, true);
                Fraction
            }
            (Whole | Fraction, b'e' | b'E') => ExponentStart,
            (ExponentStart, b'+') => ExponentSigned,
            (ExponentStart, b'-') => {
                self.exponent_negative = true;
                ExponentSigned
            }
            (ExponentStart | ExponentSigned | Exponent, b'0'..=b'9') => {
                self.exponent_digit(byte);
                Exponent
            }
            _ => Dead,
        }
    }

    fn decimal_digit(&mut self, byte: u8, fraction: bool) {
        if self.digits.is_empty() {
            if self.mantissa < DECIMAL_MANTISSA {
                self.mantissa = self.mantissa * 10 + u64::from(byte - b'0');
                self.scale -= i64::from(fraction);
                return;
            }
            self.digits.extend_from_slice(self.mantissa.to_string().as_bytes());
        }
        if self.digits.len() < DIGITS {
            self.scale -= i64::from(fraction);
            self.digits.push(byte);
        } else {
            self.scale += i64::from(!fraction);
            self.inexact |= byte != b'0';
        }
    }

    fn exponent_digit(&mut self, byte: u8) {
        if self.exponent < EXPONENT / 16 {
            self.exponent = self.exponent * 10 + i64::from(byte - b'0');
        }
    }

    /// The number, when what was read is one and is finite.
    pub(super) fn finish(&mut self) -> Option<f64> {
        let exponent = if self.exponent_negative { -self.exponent } else { self.exponent };
        let scale = exponent + self.scale;
        let magnitude = match self.state {
            State::Whole | State::Fraction | State::Exponent => self.decimal(scale)?,
            _ => return None,
        };
        magnitude.is_finite().then_some(if self.negative { -magnitude } else { magnitude })
    }

    fn decimal(&mut self, scale: i64) -> Option<f64> {
        use std::io::Write;
        if self.digits.is_empty() {
            if self.mantissa == 0 {
                return Some(0.0);
            }
            if let Some(value) = exact_product(self.mantissa, scale) {
                return Some(value);
            }
            write!(self.digits, "{}", self.mantissa).ok()?;
        }
        let scale = if self.inexact {
            self.digits.push(b'1');
            scale - 1
        } else {
            scale
        };
        // At most 801 digits: beyond this the value is infinite or zero whatever they are.
        let scale = scale.clamp(-10_000, 10_000);
        write!(self.digits, "e{scale}").ok()?;
        let value: f64 = fast_float2::parse(&self.digits).ok()?;
        Some(if value == 0.0 { SMALLEST } else { value })
    }
}

/// `mantissa` times ten to the `scale` where both are doubles, and one rounding therefore is all.
fn exact_product(mantissa: u64, scale: i64) -> Option<f64> {
    /// Powers of ten up to 10^22 are doubles.
    const POWERS: [f64; 23] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
        1e18, 1e19, 1e20, 1e21, 1e22,
    ];
    if mantissa > 1 << f64::MANTISSA_DIGITS {
        return None;
    }
    #[allow(clippy::cast_precision_loss)]
    let mantissa = mantissa as f64;
    let power = POWERS.get(usize::try_from(scale.unsigned_abs()).ok()?)?;
    Some(if scale < 0 { mantissa / power } else { mantissa * power })
}

/// The number that a whole token is.
pub(super) fn parse(token: &[u8]) -> Option<f64> {
    let mut scanner = Scanner::default();
    scanner.feed(token);
    scanner.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_in_every_spelling() {
        for (token, value) in [
            ("0", 0.0),
            ("1", 1.0),
            ("+1", 1.0),
            ("-1", -1.0),
            ("1.", 1.0),
            (".5", 0.5),
            ("-.5", -0.5),
            ("+.5e1", 5.0),
            ("00", 0.0),
            ("007.500", 7.5),
            ("1e3", 1000.0),
            ("1E+3", 1000.0),
            ("1.e-2", 0.01),
            ("-00.e1", 0.0),
            ("0e99999999999999999999", 0.0),
            ("1e-400", 5e-324),
            ("-1e-99999999999999999999", -5e-324),
            ("4.9e-324", 5e-324),
            ("2.4703282292062327e-324", 5e-324),
            ("2.4703282292062328e-324", 5e-324),
            ("1.7976931348623157e308", f64::MAX),
            ("18446744073709551616", 18446744073709551616.0),
            ("18446744073709551617", 18446744073709551616.0),
            ("9007199254740993", 9007199254740992.0),
            ("9007199254740993.0000000000000000000001", 9007199254740994.0),
        ] {
            assert_eq!(parse(token.as_bytes()), Some(value), "{token}");
        }
    }

    #[test]
    fn everything_else_is_text() {
        for token in [
            "",
            "+",
            "-",
            ".",
            "+.",
            "-.",
            "..",
            "++0",
            "+-0",
            "--1",
            ".e1",
            "e1",
            "0e",
            "1e",
            "1e+",
            "1E-",
            "0e1.0",
            "1,0",
            "1.0.0",
            "1.0a",
            "1x",
            "x1",
            "0x",
            "0X",
            "0x0",
            "0X1F",
            "0x1.8p1",
            "1_000",
            "inf",
            "-inf",
            "infinity",
            "INF",
            "nan",
            "-nan",
            "nan(1)",
            "1e309",
            "-1e309",
            "1e99999999999999999999",
            "1f",
            "1d",
            "1L",
            "1e5f",
            "1\0",
            "\x001",
            "١",
            " 1",
            "1 ",
            "1%",
            "1e5e5",
            "1p3",
            "0b1",
            "1'000",
            "−1",
        ] {
            assert_eq!(parse(token.as_bytes()), None, "{token:?}");
        }
    }

    #[test]
    fn rounding_looks_at_every_digit() {
        // 1 + 2^-53 is half way between two doubles; a digit after a thousand zeros decides.
        let half = "1.00000000000000011102230246251565404236316680908203125";
        assert_eq!(parse(half.as_bytes()), Some(1.0));
        assert_eq!(parse(format!("{half}{}1", "0".repeat(5000)).as_bytes()), Some(1.0000000000000002));
        assert_eq!(parse(format!("{half}{}", "0".repeat(5000)).as_bytes()), Some(1.0));
        // Zeros in front and a long exponent cancel.
        assert_eq!(parse(format!("0.{}1e5001", "0".repeat(5000)).as_bytes()), Some(1.0));
        assert_eq!(parse(format!("1{}e-5000", "0".repeat(5000)).as_bytes()), Some(1.0));
        assert_eq!(parse("9".repeat(5000).as_bytes()), None);
    }

    proptest! {
        #[test]
        fn doubles_read_back(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            for text in [format!("{value}"), format!("{value:e}"), format!("{value:.30e}")] {
                prop_assert_eq!(parse(text.as_bytes()), Some(value), "{}", text);
            }
        }

        #[test]
        fn decimals_read_as_the_standard_library_reads_them(text in "[+-]?[0-9]{0,25}(\\.[0-9]{0,25})?([eE][+-]?[0-9]{1,3})?") {
            let is_zero = !text.split(['e', 'E']).next().is_some_and(|digits| digits.contains(|digit| ('1'..='9').contains(&digit)));
            let expected = text.parse::<f64>().ok().filter(|value| value.is_finite());
            let expected = expected.map(|value| if value == 0.0 && !is_zero { SMALLEST.copysign(value) } else { value });
            prop_assert_eq!(parse(text.as_bytes()), expected);
        }

        #[test]
        fn pieces_do_not_matter(text in "[+-]?[0-9.]{0,8}(e[+-]?[0-9]{0,4})?", place in 0usize..20) {
            let (head, tail) = text.as_bytes().split_at(place.min(text.len()));
            let mut scanner = Scanner::default();
            scanner.feed(b"12.5e7garbage");
            scanner.reset();
            scanner.feed(head);
            scanner.feed(tail);
            prop_assert_eq!(scanner.finish(), parse(text.as_bytes()));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            parse(&bytes);
        }
    }
}
