//! Where in the file something is: lines for errors, and the key a place belongs to.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::LanguageError;

/// A table's text and the name it goes by in errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Document<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

impl Document<'_> {
    /// A complaint about what stands at a place.
    pub(super) fn error_at(&self, span: &Range<usize>, problem: impl Into<String>) -> LanguageError {
        LanguageError { file: self.file.to_owned(), line: self.line(span.start), problem: problem.into() }
    }

    /// A complaint about the file as a whole.
    pub(super) fn error(&self, problem: impl Into<String>) -> LanguageError {
        LanguageError { file: self.file.to_owned(), line: 0, problem: problem.into() }
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    /// What the TOML reader or serde said, in the words of this module: with the language and the key,
    /// which serde does not tell, found by the place.
    pub(super) fn reader_error(&self, error: &toml::de::Error) -> LanguageError {
        let problem = plain_words(error.message());
        let Some(span) = error.span() else {
            return self.error(problem);
        };
        let key = match DeTable::parse(self.text) {
            Ok(table) => key_at(table.get_ref(), &span),
            Err(_) => String::new(),
        };
        let separator = if key.is_empty() { "" } else { ": " };
        self.error_at(&span, format!("{key}{separator}{problem}"))
    }
}

/// serde's wording for programmers, reworded for people who edit a file.
fn plain_words(message: &str) -> String {
    let message =
        message.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    message
        .replace('`', "'")
        .replace("unknown field ", "unknown key ")
        .replace("missing field ", "missing key ")
        .replace("duplicate field ", "duplicate key ")
        .replace(", expected one of ", "; accepted keys: ")
        .replace(", expected a sequence", "; accepted: a list like [\"gcc\", \"main.c\"]")
        .replace(", expected a string", "; accepted: text in quotes")
        .replace(", expected a boolean", "; accepted: true or false")
        .replace(", expected f64", "; accepted: a number like 1.5")
        .replace(", expected i64", "; accepted: a whole number like 64")
        .replace(", expected struct RawSources", "; accepted: { default = \"main.c\", extensions = [\"c\"] }")
        .replace(", expected struct RawLimits", "; accepted: { memory_extra = \"64MiB\", processes = 8 }")
        .replace(", expected struct RawCompileLimits", "; accepted: { cpu = \"30s\", memory = \"1GiB\" }")
        .replace(
            ", expected struct RawPrepare",
            "; accepted: { command = [\"cp\", \"a\", \"{dir}\"], files = [] }",
        )
        .replace(", expected struct RawFile", "; accepted: { name = \"a.h\", text = \"int a;\" }")
        .replace(", expected struct RawLanguage", "; accepted: a table [[language]]")
}

/// The key whose name or value covers a place: `language 'cpp20': limits.processes`.
fn key_at(table: &DeTable<'_>, place: &Range<usize>) -> String {
    let mut keys: Vec<String> = Vec::new();
    let mut language = None;
    let mut tables = vec![table];
    while let Some(table) = tables.pop() {
        for (key, value) in table {
            let inside = |span: Range<usize>| span.start <= place.start && place.end <= span.end;
            if !inside(key.span()) && !inside(value.span()) && !holds(value.get_ref(), place) {
                continue;
            }
            if let Some(entries) = value.get_ref().as_array().filter(|_| key.get_ref() == "language") {
                let entry =
                    entries.iter().rfind(|entry| holds(entry.get_ref(), place) || inside(entry.span()));
                if let Some(entry) = entry.and_then(|entry| entry.get_ref().as_table()) {
                    language = entry.get("id").and_then(|id| id.get_ref().as_str()).map(str::to_owned);
                    tables.push(entry);
                }
            } else {
                keys.push(key.get_ref().to_string());
                tables.extend(value.get_ref().as_table());
            }
            break;
        }
    }
    let keys = keys.join(".");
    match language {
        Some(id) if keys.is_empty() => format!("language '{id}'"),
        Some(id) => format!("language '{id}': {keys}"),
        None => keys,
    }
}

/// Whether something inside a value covers a place: a table's own span is no more than its header.
fn holds(value: &DeValue<'_>, place: &Range<usize>) -> bool {
    let inside = |span: Range<usize>| span.start <= place.start && place.end <= span.end;
    match value {
        DeValue::Table(table) => table
            .iter()
            .any(|(key, value)| inside(key.span()) || inside(value.span()) || holds(value.get_ref(), place)),
        DeValue::Array(entries) => {
            entries.iter().any(|entry| inside(entry.span()) || holds(entry.get_ref(), place))
        }
        _ => false,
    }
}
