//! From a file to a table: reading, parsing, laying an operator's entries over the built-in ones.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::place::Document;
use super::raw::RawTable;
use super::validate::validate;
use super::{Language, LanguageError, Table};

/// The table that comes with gavel.
const BUILT_IN: &str = include_str!("../../languages.toml");

/// Its name in errors.
const BUILT_IN_NAME: &str = "languages.toml (built-in)";

/// What `extends` accepts.
const EXTENDS: &str = "built-in";

/// No table of people is larger; a wrong path may be.
const SIZE_LIMIT: u64 = 4 << 20;

impl Table {
    /// The table that comes with gavel.
    ///
    /// # Errors
    /// Never in a released gavel: a test loads it.
    pub fn built_in() -> Result<Self, LanguageError> {
        Self::parse(BUILT_IN_NAME, BUILT_IN)
    }

    /// Reads a table of the operator's. It replaces the built-in one unless it says
    /// `extends = "built-in"`; then its entries come first, in its order, before the built-in ones whose
    /// id it does not use, so that its endings win.
    ///
    /// # Errors
    /// [`LanguageError`] with the first thing wrong: the file cannot be read, is no TOML, has an unknown
    /// key, a value of a wrong type, or an entry that could not work.
    pub fn load(path: &Path) -> Result<Self, LanguageError> {
        let file = path.display().to_string();
        let text = read(path).map_err(|problem| LanguageError { file: file.clone(), line: 0, problem })?;
        Self::parse(&file, &text)
    }

    /// Reads a table from text; `file` is its name in errors.
    ///
    /// # Errors
    /// As [`Table::load`].
    pub fn parse(file: &str, text: &str) -> Result<Self, LanguageError> {
        let document = Document { file, text };
        let raw: RawTable = toml::from_str(text).map_err(|error| document.reader_error(&error))?;
        let extends = match &raw.extends {
            None => false,
            Some(name) if name.get_ref() == EXTENDS => true,
            Some(name) => {
                let problem =
                    format!("extends: there is no table '{}'; accepted: \"{EXTENDS}\"", name.get_ref());
                return Err(document.error_at(&name.span(), problem));
            }
        };
        let mut languages = validate(document, &raw.language)?;
        if extends {
            let ours = languages.len();
            for language in Self::built_in()?.languages {
                if !has(&languages[..ours], &language.id) {
                    languages.push(language);
                }
            }
        }
        if languages.is_empty() {
            return Err(
                document.error("it has no language; add a table [[language]], or extends = \"built-in\"")
            );
        }
        Ok(Self { languages })
    }
}

fn has(languages: &[Language], id: &str) -> bool {
    languages.iter().any(|language| language.id == id)
}

/// The text of a regular file of reasonable size; or what is wrong and what to do.
fn read(path: &Path) -> Result<String, String> {
    let refused = |error: std::io::Error| {
        format!("cannot read the language table: {error}; check the path and its permissions")
    };
    if !fs::metadata(path).map_err(refused)?.is_file() {
        return Err("the language table is not a regular file; give the path of a languages.toml".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(refused)?.take(SIZE_LIMIT + 1).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err("the language table is over 4 MiB; is this the right file?".to_owned());
    }
    String::from_utf8(bytes)
        .map_err(|_| "the language table is not UTF-8 text; is this the right file?".to_owned())
}
