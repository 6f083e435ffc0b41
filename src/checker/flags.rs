//! The validator flags of a problem package, in the legacy ICPC/Kattis names.
//!
//! A flag is never guessed: what the Kattis default validator refuses is refused, and so are negative
//! tolerances, which it takes for "no tolerance" without a word. As there, a flag given twice counts as given
//! last.

use super::comparator::{Comparator, TokenOptions};
use super::message;
use super::number;

/// Flags that cannot be followed: a fault of the package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// No such flag.
    #[error("unknown validator flag {flag}; accepted are {ACCEPTED}")]
    Unknown {
        /// The flag, quoted and cut.
        flag: String,
    },
    /// The flag ends the line where its tolerance should stand.
    #[error(
        "validator flag '{flag}' needs a tolerance after it, as in '{flag} 1e-6'; accepted are {ACCEPTED}"
    )]
    MissingValue {
        /// The flag.
        flag: &'static str,
    },
    /// The tolerance is no finite number of 0 or more.
    #[error(
        "validator flag '{flag}' needs a finite tolerance of 0 or more, as in '{flag} 1e-6', not {value}; \
         accepted are {ACCEPTED}"
    )]
    BadValue {
        /// The flag.
        flag: &'static str,
        /// What stood there, quoted and cut.
        value: String,
    },
}

const CASE: &str = "case_sensitive";
const SPACE: &str = "space_change_sensitive";
const ABSOLUTE: &str = "float_absolute_tolerance";
const RELATIVE: &str = "float_relative_tolerance";
const BOTH: &str = "float_tolerance";

const ACCEPTED: &str = "'case_sensitive', 'space_change_sensitive', 'float_absolute_tolerance E', \
                        'float_relative_tolerance E' and 'float_tolerance E'";

impl Comparator {
    /// The comparator that `validator_flags` of a package asks for: tokens, with the options named.
    ///
    /// # Errors
    /// [`FlagError`] on a flag that is unknown, or whose tolerance is missing, negative, infinite or no
    /// number.
    pub fn from_validator_flags(flags: &str) -> Result<Self, FlagError> {
        let mut options = TokenOptions::default();
        let mut words = flags.split_whitespace();
        while let Some(word) = words.next() {
            match word {
                CASE => options.case_sensitive = true,
                SPACE => options.space_change_sensitive = true,
                ABSOLUTE => options.absolute_tolerance = Some(tolerance(ABSOLUTE, words.next())?),
                RELATIVE => options.relative_tolerance = Some(tolerance(RELATIVE, words.next())?),
                BOTH => {
                    let value = Some(tolerance(BOTH, words.next())?);
                    options.absolute_tolerance = value;
                    options.relative_tolerance = value;
                }
                other => return Err(FlagError::Unknown { flag: message::quote(other.as_bytes()) }),
            }
        }
        Ok(Self::Tokens(options))
    }
}

fn tolerance(flag: &'static str, value: Option<&str>) -> Result<f64, FlagError> {
    let value = value.ok_or(FlagError::MissingValue { flag })?;
    number::parse(value.as_bytes())
        .filter(|tolerance| *tolerance >= 0.0)
        .map(f64::abs)
        .ok_or_else(|| FlagError::BadValue { flag, value: message::quote(value.as_bytes()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(flags: &str) -> TokenOptions {
        match Comparator::from_validator_flags(flags) {
            Ok(Comparator::Tokens(options)) => options,
            other => panic!("{flags}: {other:?}"),
        }
    }

    #[test]
    fn flags_become_options() {
        assert_eq!(options(""), TokenOptions::default());
        assert_eq!(options(" \n\t"), TokenOptions::default());
        assert!(options("case_sensitive").case_sensitive);
        assert!(options("case_sensitive  space_change_sensitive").space_change_sensitive);
        let absolute = options("float_absolute_tolerance 1e-6");
        assert_eq!((absolute.absolute_tolerance, absolute.relative_tolerance), (Some(1e-6), None));
        let relative = options("float_relative_tolerance .5");
        assert_eq!((relative.absolute_tolerance, relative.relative_tolerance), (None, Some(0.5)));
        let both = options("float_tolerance 0");
        assert_eq!((both.absolute_tolerance, both.relative_tolerance), (Some(0.0), Some(0.0)));
    }

    #[test]
    fn a_later_flag_replaces_an_earlier_one() {
        let replaced = options("float_absolute_tolerance 1 float_tolerance 0.5");
        assert_eq!((replaced.absolute_tolerance, replaced.relative_tolerance), (Some(0.5), Some(0.5)));
        let refined = options("float_tolerance 0.5 float_absolute_tolerance 1");
        assert_eq!((refined.absolute_tolerance, refined.relative_tolerance), (Some(1.0), Some(0.5)));
    }

    #[test]
    fn refused_flags_name_themselves_and_the_accepted_ones() {
        for (flags, named) in [
            ("float_tol 1", "\"float_tol\""),
            ("Case_Sensitive", "\"Case_Sensitive\""),
            ("1e-6", "\"1e-6\""),
            ("case_sensitive\u{0}", "\"case_sensitive\\0\""),
            ("float_tolerance", "'float_tolerance'"),
            ("case_sensitive float_relative_tolerance ", "'float_relative_tolerance'"),
            ("float_tolerance case_sensitive", "\"case_sensitive\""),
            ("float_tolerance -1", "\"-1\""),
            ("float_tolerance nan", "\"nan\""),
            ("float_tolerance inf", "\"inf\""),
            ("float_tolerance 1e999", "\"1e999\""),
            ("float_tolerance 1e-5x", "\"1e-5x\""),
            ("float_absolute_tolerance 1e", "\"1e\""),
            ("float_tolerance 1,5", "\"1,5\""),
        ] {
            let error = Comparator::from_validator_flags(flags).unwrap_err().to_string();
            assert!(error.contains(named), "{flags}: {error}");
            assert!(error.contains("'float_absolute_tolerance E'"), "{flags}: {error}");
            assert!(!error.contains(char::is_control), "{flags}: {error}");
        }
        let long = "x".repeat(100_000);
        assert!(Comparator::from_validator_flags(&long).unwrap_err().to_string().chars().count() < 400);
    }
}
