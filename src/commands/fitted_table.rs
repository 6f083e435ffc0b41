//! Tables that fit the terminal: columns of less interest are left out before a line would be wrapped.

use std::io::{self, IsTerminal};

use comfy_table::{Cell, Color};

use super::output;

/// The least a column of text is cut to.
const LEAST: usize = 12;
/// Spaces around a cell.
const PADDING: usize = 2;

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column<'a> {
    /// Its head; one that begins with `>` is of numbers.
    pub(crate) title: &'a str,
    /// 0 stays whatever the width; of the others the highest goes first.
    pub(crate) rank: u8,
}

/// A cell's text and its colour.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    text: String,
    color: Option<Color>,
}

impl Field {
    /// A cell in the terminal's own colour.
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), color: None }
    }

    /// A cell in a colour.
    pub(crate) fn colored(text: impl Into<String>, color: Color) -> Self {
        Self { text: text.into(), color: Some(color) }
    }
}

/// Width of the terminal on standard output; `None` where it is none, and lines may have any length.
pub(crate) fn width() -> Option<usize> {
    let columns = comfy_table::Table::new().width();
    io::stdout().is_terminal().then_some(columns).flatten().map(usize::from)
}

/// The table in at most so many columns of the terminal, as far as its first columns allow.
pub(crate) fn text(columns: &[Column<'_>], rows: &[Vec<Field>], width: Option<usize>) -> String {
    let kept = kept(columns, rows, width.unwrap_or(usize::MAX));
    let titles: Vec<&str> = kept.iter().map(|place| columns[*place].title).collect();
    let mut table = output::table(&titles);
    let mut widths: Vec<usize> = kept.iter().map(|place| natural(columns, rows, *place)).collect();
    if let Some(width) = width {
        narrow(&mut widths, &titles, width);
    }
    for row in rows {
        table.add_row(kept.iter().zip(&widths).map(|(place, width)| cell(&row[*place], *width)));
    }
    table.trim_fmt()
}

fn cell(field: &Field, width: usize) -> Cell {
    let cell = Cell::new(cut(&field.text, width));
    match field.color {
        Some(color) => cell.fg(color),
        None => cell,
    }
}

/// The places of the columns that fit, in their order.
fn kept(columns: &[Column<'_>], rows: &[Vec<Field>], width: usize) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    let total = |kept: &[usize]| -> usize {
        kept.iter().map(|place| natural(columns, rows, *place).saturating_add(PADDING)).sum()
    };
    while total(&kept) > width {
        let last = kept.iter().copied().filter(|place| columns[*place].rank > 0);
        let Some(last) = last.max_by_key(|place| (columns[*place].rank, *place)) else { break };
        kept.retain(|place| *place != last);
    }
    kept
}

fn natural(columns: &[Column<'_>], rows: &[Vec<Field>], place: usize) -> usize {
    let cells = rows.iter().map(|row| row[place].text.chars().count());
    cells.chain([columns[place].title.trim_start_matches('>').chars().count()]).max().unwrap_or(0)
}

/// Cuts the widest columns of text until the line fits.
fn narrow(widths: &mut [usize], titles: &[&str], width: usize) {
    while widths.iter().map(|own| own + PADDING).sum::<usize>() > width {
        let texts = widths.iter_mut().zip(titles).filter(|(_, title)| !title.starts_with('>'));
        match texts.map(|(own, _)| own).max().filter(|own| **own > LEAST) {
            Some(widest) => *widest -= 1,
            None => return,
        }
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// A text in lines of at most so many columns, the further ones indented.
pub(crate) fn wrapped(text: &str, indent: usize, width: Option<usize>) -> String {
    let Some(width) = width.map(|width| width.max(20)) else { return text.to_owned() };
    let mut wrapped = String::new();
    let mut column = 0;
    let start = text.len() - text.trim_start().len();
    wrapped.push_str(&text[..start]);
    column += start;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > start && column + 1 + length > width {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent));
            column = indent;
        } else if column > start {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(width: Option<usize>) -> String {
        let columns = [
            Column { title: "submission", rank: 0 },
            Column { title: "got", rank: 0 },
            Column { title: ">memory", rank: 2 },
            Column { title: "on test", rank: 1 },
        ];
        let row = |name: &str| [name, "AC", "3.2 MiB", "secret/10-large"].map(Field::plain).to_vec();
        text(
            &columns,
            &[row("accepted/euclid.cpp"), row("wrong_answer/a-very-long-name-of-a-file.py")],
            width,
        )
    }

    #[test]
    fn columns_go_by_rank_and_the_rest_is_cut() {
        assert!(table(None).contains("memory"));
        for (width, there, gone) in
            [(200, "memory", "…"), (70, "secret/10", "memory"), (60, "got", "secret"), (40, "…", "secret")]
        {
            let text = table(Some(width));
            assert!(text.contains(there) && !text.contains(gone), "{width}:\n{text}");
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
        }
    }

    #[test]
    fn texts_are_broken_at_spaces() {
        assert_eq!(
            wrapped("  one two three four five six", 4, Some(20)),
            "  one two three four\n    five six"
        );
        assert_eq!(wrapped("one two", 4, None), "one two");
    }
}
