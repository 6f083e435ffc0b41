//! Byte sizes and durations as people write them (`256MiB`, `1.5s`), with their parsing.
//!
//! Every size or time that enters gavel from a flag, a TOML key or a message goes through here, so
//! one grammar and one error message hold everywhere. Inside the program sizes are [`Bytes`] and
//! times are [`Duration`]; a bare number never carries a unit in its name only.
//!
//! A number without a unit is refused: `memory = 256` has meant bytes, KiB and MiB in different
//! judges, and guessing wrong costs a contestant a verdict.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of bytes.
///
/// Parses from `4096B`, `64KiB`, `256MiB`, `1.5GiB` (powers of 1024) and `kB`/`MB`/`GB` (powers of
/// 1000), with optional space before the unit; prints in the largest binary unit that is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub u64);

impl Bytes {
    /// `count` × 1024 bytes; saturates.
    pub const fn kib(count: u64) -> Self {
        Self(count.saturating_mul(1 << 10))
    }

    /// `count` × 1024² bytes; saturates.
    pub const fn mib(count: u64) -> Self {
        Self(count.saturating_mul(1 << 20))
    }

    /// `count` × 1024³ bytes; saturates.
    pub const fn gib(count: u64) -> Self {
        Self(count.saturating_mul(1 << 30))
    }

    /// The size in whole KiB, rounded up: what reports carry.
    pub const fn as_kib(self) -> u64 {
        self.0.div_ceil(1 << 10)
    }

    /// The size in whole MiB, rounded down: what `{memory_mib}` in a language's argv becomes.
    pub const fn as_mib(self) -> u64 {
        self.0 >> 20
    }
}

/// Why a size or a time could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{input}' is not {what}: {problem}; write it like {example}")]
pub struct UnitError {
    /// The text as given, cut to 40 characters.
    pub input: String,
    /// "a size" or "a time".
    pub what: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
    /// Accepted forms.
    pub example: &'static str,
}

const SIZE_UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

const TIME_UNITS: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Splits `1.5 GiB` and returns the value in base units, exact for decimal fractions.
fn parse_quantity(
    input: &str,
    units: &[(&str, u64)],
    what: &'static str,
    example: &'static str,
) -> Result<u64, UnitError> {
    let fail = |problem| UnitError { input: input.chars().take(40).collect(), what, problem, example };
    let text = input.trim();
    if text.starts_with('-') {
        return Err(fail("it is negative"));
    }
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = unit.trim_start();
    if number.is_empty() || number == "." {
        return Err(fail("no number at its start"));
    }
    if unit.is_empty() {
        return Err(fail("the unit is missing"));
    }
    let (_, scale) =
        units.iter().find(|(name, _)| *name == unit).ok_or_else(|| fail("the unit is unknown"))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || fraction.len() > 12 || whole.len() > 20 {
        return Err(fail("the number is malformed"));
    }
    let whole: u128 =
        if whole.is_empty() { 0 } else { whole.parse().map_err(|_| fail("the number is malformed"))? };
    let mut value = whole * u128::from(*scale);
    if !fraction.is_empty() {
        let digits: u128 = fraction.parse().map_err(|_| fail("the number is malformed"))?;
        let power = 10u128.pow(u32::try_from(fraction.len()).unwrap_or(12));
        value += digits * u128::from(*scale) / power;
    }
    u64::try_from(value).map_err(|_| fail("it is too large"))
}

impl FromStr for Bytes {
    type Err = UnitError;

    fn from_str(input: &str) -> Result<Self, UnitError> {
        parse_quantity(input, SIZE_UNITS, "a size", "'256MiB', '64 KiB' or '4096B'").map(Bytes)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, scale) in [("TiB", 1u64 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.0 != 0 && self.0.is_multiple_of(scale) {
                return write!(formatter, "{}{unit}", self.0 / scale);
            }
        }
        write!(formatter, "{}B", self.0)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Bytes {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        quantity_schema(
            "A size with its unit: KiB is 1024 bytes, kB is 1000.",
            SIZE_UNITS,
            &["256MiB", "1.5 GiB"],
        )
    }
}

/// What [`parse_quantity`] accepts, but for numbers that are too large.
fn quantity_schema(description: &str, units: &[(&str, u64)], examples: &[&str]) -> Schema {
    let units = units.iter().map(|(unit, _)| *unit).collect::<Vec<_>>().join("|");
    let number = r"([0-9]{1,20}(\.[0-9]{0,12})?|\.[0-9]{1,12})";
    json_schema!({
        "type": "string",
        "description": description,
        "pattern": format!(r"^\s*{number}\s*({units})\s*$"),
        "examples": examples,
    })
}

/// Reads a duration like `1s`, `1.5 s`, `500ms`, `2min`.
///
/// # Errors
/// [`UnitError`] when the unit is missing or unknown, the number malformed, negative or beyond 584 years.
pub fn parse_duration(input: &str) -> Result<Duration, UnitError> {
    parse_quantity(input, TIME_UNITS, "a time", "'1s', '1.5s', '500ms' or '2min'").map(Duration::from_nanos)
}

/// A duration in the shortest exact form [`parse_duration`] reads back.
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos.is_multiple_of(1_000_000_000) {
        format!("{}s", duration.as_secs())
    } else if nanos.is_multiple_of(1_000_000) {
        format!("{}ms", duration.as_millis())
    } else if nanos.is_multiple_of(1_000) {
        format!("{}us", duration.as_micros())
    } else {
        format!("{nanos}ns")
    }
}

/// Milliseconds as the reports carry them: a float with microsecond resolution.
pub fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// A [`Duration`] that serialises as text with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub Duration);

impl FromStr for Time {
    type Err = UnitError;

    fn from_str(input: &str) -> Result<Self, UnitError> {
        parse_duration(input).map(Time)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&format_duration(self.0))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        quantity_schema("A time with its unit.", TIME_UNITS, &["500ms", "1.5s"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_and_print_back() {
        for (text, value) in [
            ("0B", 0),
            ("4096B", 4096),
            ("64KiB", 65_536),
            ("64 KiB", 65_536),
            ("1.5GiB", 3 << 29),
            ("10MB", 10_000_000),
            ("0.5KiB", 512),
        ] {
            let bytes: Bytes = text.parse().unwrap();
            assert_eq!(bytes, Bytes(value), "{text}");
            assert_eq!(bytes.to_string().parse::<Bytes>().unwrap(), bytes);
        }
    }

    #[test]
    fn malformed_sizes_name_the_problem_and_the_accepted_forms() {
        for (text, problem) in [
            ("256", "unit is missing"),
            ("-1MiB", "negative"),
            ("MiB", "no number"),
            ("1XB", "unit is unknown"),
            ("1.2.3MiB", "malformed"),
            ("99999999TiB", "too large"),
            ("99999999999999999999999999B", "malformed"),
            ("", "no number"),
        ] {
            let error = text.parse::<Bytes>().unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
            assert!(error.contains("256MiB"), "{error}");
        }
    }

    #[test]
    fn times_read_and_print_back() {
        for (text, nanos) in [
            ("1s", 1_000_000_000),
            ("1.5s", 1_500_000_000),
            ("500ms", 500_000_000),
            ("2min", 120_000_000_000),
        ] {
            let time = parse_duration(text).unwrap();
            assert_eq!(time, Duration::from_nanos(nanos), "{text}");
            assert_eq!(parse_duration(&format_duration(time)).unwrap(), time);
        }
        assert!(parse_duration("1").unwrap_err().to_string().contains("unit is missing"));
    }
}
