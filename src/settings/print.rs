//! The settings with where each is from, for `--print-config`.

use std::fmt::Write;

use super::keys::{Fallback, Places};
use super::layers::{Resolved, Setting};

impl Resolved {
    /// As a TOML file that says the same, each value with its origin; what is not set, and what a file may not
    /// say, is a comment. Passwords are hidden.
    pub fn to_toml(&self) -> String {
        let mut text = match &self.file {
            Some(path) => format!("# read: {}\n", path.display()),
            None => "# read: no file\n".to_owned(),
        };
        let mut last = "";
        for setting in &self.settings {
            let (table, name) = setting.key.table_and_name();
            if table != last {
                // Writing to a text does not fail.
                let _ = write!(text, "\n[{table}]\n");
                last = table;
            }
            let origin = &setting.origin;
            let _ = match (&setting.value, setting.key.places) {
                (None, _) => writeln!(text, "# {name} is not set: {}", unset(setting)),
                (Some(value), Places::Environment) => {
                    writeln!(text, "# {name} = {} # {origin}", value.to_toml())
                }
                (Some(value), _) => writeln!(text, "{name} = {} # {origin}", value.to_toml()),
            };
        }
        text
    }

    /// Rows of key, value and origin for people.
    pub fn rows(&self) -> Vec<[String; 3]> {
        let row = |setting: &Setting| {
            let value = match &setting.value {
                Some(value) => value.to_human(),
                None => format!("({})", unset(setting)),
            };
            [setting.key.name.to_owned(), value, setting.origin.to_string()]
        };
        self.settings.iter().map(row).collect()
    }
}

fn unset(setting: &Setting) -> &'static str {
    match setting.key.default {
        Fallback::Found(words) | Fallback::Is(words) => words,
    }
}
