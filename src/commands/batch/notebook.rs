//! Joins the code cells of Jupyter notebooks (nbformat 3 and 4) into one program.

use serde_json::Value;

use crate::language::{Language, Table};

/// A notebook's program.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// Ending of its language.
    pub(super) ending: String,
    /// All code cells in order.
    pub(super) text: String,
}

/// Cell commands after which the cell is still code of the notebook's language.
const TRANSPARENT: [&str; 4] = ["%%time", "%%timeit", "%%capture", "%%prun"];

/// Reads the code cells. Lines that are commands to the notebook (`%matplotlib`, `!pip`, `?print`) are left out, and
/// cells that are in another language.
///
/// # Errors
/// A line that says why there is no program in it.
pub(super) fn program(bytes: &[u8], table: &Table) -> Result<Program, String> {
    let notebook: Value = serde_json::from_slice(bytes).map_err(|error| {
        format!("it is not a notebook that can be read ({error}); save it again in Jupyter")
    })?;
    let language = language(&notebook, table)?;
    let ending = language.extensions.first().cloned().unwrap_or_default();
    let mut cells: Vec<&Value> = Vec::new();
    if let Some(list) = notebook["cells"].as_array() {
        cells.extend(list);
    }
    // Version 3 had sheets of cells.
    for sheet in notebook["worksheets"].as_array().into_iter().flatten() {
        cells.extend(sheet["cells"].as_array().into_iter().flatten());
    }
    let is_python = ending == "py";
    let mut text = String::new();
    for cell in cells.iter().filter(|cell| cell["cell_type"] == "code") {
        let source = joined(cell.get("source").or_else(|| cell.get("input")).unwrap_or(&Value::Null));
        let code = if is_python { without_commands(&source) } else { source };
        if !code.trim().is_empty() {
            text.push_str(code.trim_end());
            text.push_str("\n\n");
        }
    }
    if text.is_empty() {
        return Err("it has no code cell with a program in it".to_owned());
    }
    Ok(Program { ending, text })
}

/// Language of the kernel; Python where nothing is said.
fn language<'a>(notebook: &Value, table: &'a Table) -> Result<&'a Language, String> {
    let metadata = &notebook["metadata"];
    let named = [&metadata["language_info"]["name"], &metadata["kernelspec"]["language"]];
    let name = named.iter().find_map(|name| name.as_str()).unwrap_or("python").to_ascii_lowercase();
    let ids = match name.as_str() {
        "python" | "ipython" => ["python3", "py"],
        "c++" => ["cpp", "cc"],
        "c#" => ["csharp", "cs"],
        other => [other, other],
    };
    let found = ids.iter().find_map(|id| table.named(id)).or_else(|| {
        table
            .languages
            .iter()
            .find(|language| language.extensions.iter().any(|own| ids.contains(&own.as_str())))
    });
    found.ok_or_else(|| {
        format!("its code is in '{}', which is not a configured language", name.escape_default())
    })
}

/// A cell's text: one string, or a list of lines with their ends.
fn joined(source: &Value) -> String {
    match source {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}

/// Knows which lines of Python begin a logical line: outside brackets and strings, and not after a backslash.
#[derive(Debug, Default)]
struct Lexer {
    brackets: usize,
    /// Quotation mark of the string that a line ended in, and whether there are three of them.
    string: Option<(u8, bool)>,
    is_continued: bool,
}

impl Lexer {
    fn is_at_start(&self) -> bool {
        self.brackets == 0 && self.string.is_none() && !self.is_continued
    }

    fn read(&mut self, line: &str) {
        let bytes = line.as_bytes();
        let mut at = 0;
        self.is_continued = false;
        while let Some(&byte) = bytes.get(at) {
            let is_triple = bytes[at..].starts_with(&[byte; 3]);
            match (self.string, byte) {
                // In raw strings too, a quotation mark after a backslash ends nothing.
                (_, b'\\') => {
                    self.is_continued = at + 1 == bytes.len();
                    at += 1;
                }
                (Some((quote, needs_three)), byte) if byte == quote && (is_triple || !needs_three) => {
                    self.string = None;
                    at += if needs_three { 2 } else { 0 };
                }
                (Some(_), _) => {}
                (None, b'"' | b'\'') => {
                    self.string = Some((byte, is_triple));
                    at += if is_triple { 2 } else { 0 };
                }
                (None, b'#') => break,
                (None, b'(' | b'[' | b'{') => self.brackets += 1,
                (None, b')' | b']' | b'}') => self.brackets = self.brackets.saturating_sub(1),
                (None, _) => {}
            }
            at += 1;
        }
        // Only strings in three quotation marks go on by themselves.
        if !self.is_continued && self.string.is_some_and(|(_, is_triple)| !is_triple) {
            self.string = None;
        }
    }
}

/// Returns a cell without its commands, which stand only where a logical line begins: the remainder operator and texts may
/// begin lines as well.
fn without_commands(source: &str) -> String {
    let first = source.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    let command = first.split_whitespace().next().unwrap_or_default();
    if command.starts_with("%%") && !TRANSPARENT.contains(&command) {
        return String::new();
    }
    let mut code = String::new();
    let (mut lexer, mut command_continues) = (Lexer::default(), false);
    for line in source.lines() {
        let start = line.trim_start();
        let is_command = lexer.is_at_start() && start.starts_with(['%', '!', '?']);
        if is_command && !command_continues {
            // A block must not become empty.
            code.push_str(&line[..line.len() - start.len()]);
            code.push_str("pass\n");
        } else if !command_continues {
            lexer.read(line);
            code.push_str(line);
            code.push('\n');
        }
        // A backslash continues commands too.
        command_continues = (is_command || command_continues) && line.ends_with('\\');
    }
    if code.lines().all(|line| line.trim() == "pass" || line.trim().is_empty()) {
        String::new()
    } else {
        code
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(notebook: &Value) -> Result<Program, String> {
        program(notebook.to_string().as_bytes(), &Table::built_in().unwrap())
    }

    #[test]
    fn code_cells_become_one_program_without_commands() {
        let notebook = json!({
            "nbformat": 4,
            "metadata": {"kernelspec": {"name": "python3", "language": "python"}},
            "cells": [
                {"cell_type": "markdown", "source": "# Sum"},
                {"cell_type": "code", "source": ["%matplotlib inline\n", "!pip install numpy\n"]},
                {"cell_type": "code", "source": ["def read():\n", "    return map(int, input().split())"]},
                {"cell_type": "code", "source": "%%bash\nls"},
                {"cell_type": "code", "source": "%%time\nprint(sum(read()))\nif True:\n    !ls\n"},
            ]
        });
        let program = read(&notebook).unwrap();
        assert_eq!(program.ending, "py");
        assert_eq!(
            program.text,
            "def read():\n    return map(int, input().split())\n\npass\nprint(sum(read()))\nif True:\n    pass\n\n"
        );
        let old =
            json!({"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": "print(1)"}]}]});
        assert_eq!(read(&old).unwrap().text, "print(1)\n\n");
    }

    #[test]
    fn what_is_no_program_is_said() {
        let empty = json!({"cells": [{"cell_type": "markdown", "source": "x"}]});
        assert!(read(&empty).unwrap_err().contains("no code cell"));
        let strange = json!({"metadata": {"language_info": {"name": "Wolfram"}}, "cells": []});
        assert!(read(&strange).unwrap_err().contains("'wolfram'"));
        assert!(program(b"{", &Table::built_in().unwrap()).unwrap_err().contains("save it again"));
    }

    #[test]
    fn commands_stand_only_where_a_logical_line_begins() {
        for code in [
            "x = (17\n% 5)\n",
            "x = 17 \\\n% 5\n",
            "x = [\n    a\n    % b, {1:\n  2\n% 3}]\n",
            "text = \"\"\"\n%d\n!not\n?what \"quoted\" it's\n\"\"\"\n",
            "text = r'''\\'''\n%d\n'''\n",
            "def f():\n    '''Says\n    % it\n    '''\nprint(\n    \"%d\"\n    % (3))\n",
            "x = 'a\\\n%b'\nprint(x, \"(\", '[') # (\ny = 1\n",
            "x = (1 # don't\n% 5)\n",
        ] {
            assert_eq!(without_commands(code), code);
        }
        for (code, expected) in [
            ("print('(')\n%time\n", "print('(')\npass\n"),
            ("x = 1 # don't (\n!ls\n", "x = 1 # don't (\npass\n"),
            ("x = \"\"\"a\"\"\"\n?x\n", "x = \"\"\"a\"\"\"\npass\n"),
            ("x = ''\n%time\nx = (1,\n 2)\n  !ls\n", "x = ''\npass\nx = (1,\n 2)\n  pass\n"),
            ("!ls \\\n  -l \\\n  -a\nx = 1\n", "pass\nx = 1\n"),
            ("x = 'unclosed\n%time\n", "x = 'unclosed\npass\n"),
        ] {
            assert_eq!(without_commands(code), expected, "{code}");
        }
    }
}
