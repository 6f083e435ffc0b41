//! Finds the title of a problem in its LaTeX statement, for packages whose `problem.yaml` has none.
//!
//! For people only, so whatever is wrong with a statement just means that there is no title in it.

use crate::package::source::error::one_line;
use crate::package::source::tree::{Entry, Kind, Tree, read_text};

/// Folders of statements, legacy and newer.
const FOLDERS: [&str; 2] = ["problem_statement", "statement"];

/// The title in the English statement, or in the first there is.
pub(crate) fn of_statement(tree: &Tree, entries: &[Entry]) -> Option<String> {
    let folder = FOLDERS.iter().find_map(|name| Tree::find(entries, name))?;
    if folder.kind != Kind::Directory {
        return None;
    }
    let statements = tree.entries(&folder.path, 1).ok()?;
    let is_statement = |entry: &&Entry| {
        entry.text().is_some_and(|name| name.starts_with("problem.") && name.ends_with(".tex"))
    };
    let statement = ["problem.en.tex", "problem.tex"]
        .iter()
        .find_map(|name| Tree::find(&statements, name))
        .or_else(|| statements.iter().find(is_statement))?;
    of_latex(&read_text(statement).ok()?)
}

/// `%% plainproblemname: …` where the name has formulas, else `\problemname{…}`.
fn of_latex(text: &str) -> Option<String> {
    const PLAIN: &str = "%% plainproblemname:";
    const COMMAND: &str = "\\problemname{";
    let plain = text.lines().find_map(|line| line.trim().strip_prefix(PLAIN));
    let title = match plain {
        Some(title) => title,
        None => {
            let start = text.find(COMMAND)? + COMMAND.len();
            let mut depth = 1usize;
            let end = text[start..].find(|character| {
                depth = match character {
                    '{' => depth + 1,
                    '}' => depth - 1,
                    _ => depth,
                };
                depth == 0
            })?;
            &text[start..start + end]
        }
    };
    Some(one_line(title.trim())).filter(|title| !title.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_found_in_latex() {
        for (text, title) in [
            ("\\problemname{Hello World!}\n", Some("Hello World!")),
            ("% x\n\\problemname{A {\\em B} C}", Some("A {\\em B} C")),
            ("%% plainproblemname: x^2\n\\problemname{$x^2$}", Some("x^2")),
            ("\\problemname{never closed", None),
            ("\\problemname{}", None),
            ("", None),
        ] {
            assert_eq!(of_latex(text).as_deref(), title, "{text}");
        }
    }
}
