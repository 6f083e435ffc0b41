//! The default validator's flags, as `validator_flags` and `output_validator_flags` carry them.

use crate::checker::{Comparator, TokenOptions};

/// The comparison that flags ask for; a later flag wins over an earlier one.
pub(super) fn comparator(flags: &str) -> Result<Comparator, String> {
    let mut options = TokenOptions::default();
    let mut words = flags.split_whitespace();
    while let Some(flag) = words.next() {
        match flag {
            "case_sensitive" => options.case_sensitive = true,
            "space_change_sensitive" => options.space_change_sensitive = true,
            "float_tolerance" | "float_absolute_tolerance" | "float_relative_tolerance" => {
                let word = words.next().ok_or_else(|| format!("'{flag}' has no number after it"))?;
                let tolerance = word.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
                let tolerance = Some(
                    tolerance.ok_or_else(|| format!("'{flag} {word}' is not a tolerance of 0 or more"))?,
                );
                if flag != "float_relative_tolerance" {
                    options.absolute_tolerance = tolerance;
                }
                if flag != "float_absolute_tolerance" {
                    options.relative_tolerance = tolerance;
                }
            }
            _ => return Err(format!("'{flag}' is not a flag of the default validator")),
        }
    }
    Ok(Comparator::Tokens(options))
}
