//! Lists the keys of `config.yaml`, and parses its times and sizes.

use std::time::Duration;

use crate::package::source::error::{PackageError, one_line};
use crate::package::source::scope::Scope;
use crate::units::Bytes;

/// The folder of tests and of `config.yaml`.
pub(super) const FOLDER: &str = "testdata";

/// Keys of `config.yaml`.
pub(super) const KEYS: &[&str] = &[
    "answers",
    "cases",
    "checker",
    "checker_type",
    "count",
    "detail",
    "filename",
    "hackable",
    "interactor",
    "judge_extra_files",
    "key",
    "langs",
    "manager",
    "memory",
    "memory_limit_rate",
    "multi_pass",
    "num_processes",
    "outputs",
    "redirect",
    "remote_judge",
    "score",
    "std",
    "subType",
    "subtasks",
    "target",
    "template",
    "time",
    "time_limit_rate",
    "type",
    "user_extra_files",
    "validator",
];

/// A duration as Hydro writes it: `1s`, `500ms`, or a number of milliseconds (`parseTimeMS`).
pub(super) fn time(scope: &Scope<'_>, key: &str) -> Result<Option<Duration>, PackageError> {
    let Some(text) = scope.text(key)? else { return Ok(None) };
    let wrong = || {
        scope.wrong(
            key,
            format!("'{}' is no time", one_line(&text)),
            "write 1s, 500ms or a number of milliseconds",
        )
    };
    let lower = text.trim().to_ascii_lowercase();
    let (number, milliseconds) = match lower.strip_suffix('s') {
        None => (lower.as_str(), 1.0),
        Some(rest) => match (rest.strip_suffix('m'), rest.strip_suffix('u')) {
            (Some(number), _) => (number, 1.0),
            (_, Some(number)) => (number, 0.001),
            _ => (rest, 1000.0),
        },
    };
    let number = number.trim().parse::<f64>().ok().map(|number| number * milliseconds);
    let number = number.filter(|number| *number > 0.0 && *number <= 3.6e6).ok_or_else(wrong)?;
    Ok(Some(Duration::from_secs_f64(number / 1000.0).max(Duration::from_millis(1))))
}

/// A size as Hydro writes it: `256m`, `1g`, `65536k`, or a number of MiB (`parseMemoryMB`).
pub(super) fn memory(scope: &Scope<'_>, key: &str) -> Result<Option<Bytes>, PackageError> {
    let Some(text) = scope.text(key)? else { return Ok(None) };
    let lower = text.trim().to_ascii_lowercase();
    let lower = lower.strip_suffix('b').unwrap_or(&lower);
    let (number, scale) = match (lower.strip_suffix('k'), lower.strip_suffix('m'), lower.strip_suffix('g')) {
        (Some(number), ..) => (number, 1024.0),
        (_, _, Some(number)) => (number, 1_073_741_824.0),
        (_, Some(number), _) => (number, 1_048_576.0),
        _ => (lower, 1_048_576.0),
    };
    let bytes = number.trim().parse::<f64>().ok().map(|number| number * scale);
    let bytes = bytes.filter(|bytes| *bytes >= 1024.0 && *bytes <= 1.1e12).ok_or_else(|| {
        scope.wrong(key, format!("'{}' is no size", one_line(&text)), "write 256m, 1g or a number of MiB")
    })?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
    Ok(Some(Bytes(bytes.ceil() as u64)))
}
