//! Parses the files that hold a time limit outside `problem.yaml`: `domjudge-problem.ini` and `.timelimit`.

use std::path::Path;
use std::time::Duration;

use crate::package::source::error::{PackageError, one_line};
use crate::package::source::values::LONGEST;

const INI: &str = "domjudge-problem.ini";
const TIMELIMIT: &str = ".timelimit";

/// What judging needs of `domjudge-problem.ini`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DomjudgeIni {
    /// `name`.
    pub name: Option<String>,
    /// `timelimit`, in seconds there.
    pub time_limit: Option<Duration>,
}

/// Reads `domjudge-problem.ini`: lines `key = value`, values bare or in quotes.
///
/// # Errors
/// When the time limit is no usable number, or a custom run or compare script is asked for.
pub fn parse_domjudge_ini(text: &str) -> Result<DomjudgeIni, PackageError> {
    read(text).map_err(|error| error.in_file(Path::new(INI)))
}

fn read(text: &str) -> Result<DomjudgeIni, PackageError> {
    let mut ini = DomjudgeIni::default();
    for (index, line) in text.lines().enumerate() {
        let number = index as u64 + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with([';', '#', '[']) {
            continue;
        }
        // A quoted value may go on over lines; those have no key that matters.
        let Some((key, value)) = line.split_once('=') else { continue };
        let (key, value) = (key.trim(), unquoted(value));
        match key {
            "name" => ini.name = Some(one_line(value)).filter(|name| !name.is_empty()),
            "timelimit" => ini.time_limit = Some(seconds(value, key, number)?),
            "special_compare" if !matches!(value, "" | "compare") => return Err(custom(number, key, value)),
            "special_run" if !matches!(value, "" | "run") => return Err(custom(number, key, value)),
            _ => {}
        }
    }
    Ok(ini)
}

fn custom(line: u64, key: &str, value: &str) -> PackageError {
    let found = format!("the custom script '{}'", one_line(value));
    PackageError::unsupported(line, key, found, "supported today: the default compare and run")
}

/// The value without its quotes or the comment after it.
fn unquoted(value: &str) -> &str {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            return rest.split(quote).next().unwrap_or(rest);
        }
    }
    value.split(';').next().unwrap_or(value).trim()
}

/// Reads `.timelimit`: a number of seconds.
pub(crate) fn parse_timelimit(text: &str) -> Result<Duration, PackageError> {
    seconds(text.trim(), "", 1).map_err(|error| error.in_file(Path::new(TIMELIMIT)))
}

fn seconds(text: &str, key: &str, line: u64) -> Result<Duration, PackageError> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number <= LONGEST => {
            Ok(Duration::from_secs_f64(number).max(Duration::from_millis(1)))
        }
        _ => Err(PackageError::value(
            line,
            key,
            format!("'{}' is not a time limit", one_line(text)),
            format!("give seconds above 0 and at most {LONGEST}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ini_gives_name_and_limit() {
        let ini =
            parse_domjudge_ini("; x\nname = 'A + B'\r\ntimelimit=2.5 ; seconds\ncolor = #ff0000\n").unwrap();
        assert_eq!(ini.name.as_deref(), Some("A + B"));
        assert_eq!(ini.time_limit, Some(Duration::from_millis(2500)));
        assert_eq!(parse_domjudge_ini("").unwrap(), DomjudgeIni::default());
    }

    #[test]
    fn useless_limits_and_custom_scripts_are_refused() {
        for (text, expected) in [
            ("timelimit = soon", "domjudge-problem.ini:1: timelimit: 'soon'"),
            ("\ntimelimit = 0", "domjudge-problem.ini:2"),
            ("timelimit = -1", "not a time limit"),
            ("timelimit = NaN", "not a time limit"),
            ("timelimit = 1e300", "not a time limit"),
            ("special_compare = float", "special_compare: the custom script 'float' is not supported"),
            ("special_run = \"boolfind_run\"", "special_run"),
        ] {
            let error = parse_domjudge_ini(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!(parse_timelimit("\u{0}").is_err());
        assert_eq!(parse_timelimit("3\n").unwrap(), Duration::from_secs(3));
    }
}
