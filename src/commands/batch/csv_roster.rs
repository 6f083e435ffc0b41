//! Reads a CSV of students' work.

use std::path::Path;

use csv::{ReaderBuilder, StringRecord};
use serde_json::{Map, Value};

use super::super::CommandError;
use super::super::start::shown;
use super::location;
use super::roster::{BadRow, Draft, Row};

/// Column of the times, where the command names no other.
pub(crate) const SUBMITTED: &str = "submitted";

/// Columns with a meaning; all others are passed on. That of the time may have another name.
const COLUMNS: [&str; 7] = ["student", "source", "name", "problem", "language", "entry_point", "submitted"];

/// Reads every row; `time_column` names the column with the times.
///
/// # Errors
/// When the file cannot be read or lacks a column that every row needs.
pub(crate) fn read(path: &Path, time_column: &str) -> Result<Vec<Row>, CommandError> {
    let fail = |problem: String| CommandError::Usage(format!("{}: {problem}", shown(path)));
    let bytes = std::fs::read(path).map_err(|error| fail(error.to_string()))?;
    // Spreadsheets begin their UTF-8 with a mark, and some separate by semicolons.
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let header = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let separator = if header.contains(&b',') || !header.contains(&b';') { b',' } else { b';' };
    let mut reader = ReaderBuilder::new().delimiter(separator).flexible(true).from_reader(text);
    let columns = reader.headers().map_err(|error| fail(format!("line 1: {error}")))?.clone();
    let place = |name: &str| columns.iter().position(|column| column.trim().eq_ignore_ascii_case(name));
    let is_default = time_column.is_empty() || time_column == SUBMITTED;
    let needed = ["student", "source"].into_iter().chain((!is_default).then_some(time_column));
    for needed in needed {
        if place(needed).is_none() {
            let found: Vec<_> = columns.iter().map(str::trim).collect();
            return Err(fail(format!(
                "line 1: there is no column '{needed}': name the columns there (found: {})",
                found.join(", ")
            )));
        }
    }
    if let Some(twice) = (1..columns.len()).find(|at| {
        columns.iter().take(*at).any(|other| Some(other) == columns.get(*at) && !other.trim().is_empty())
    }) {
        let name = columns.get(twice).unwrap_or_default();
        return Err(fail(format!("line 1: column '{name}' is there twice: rename one")));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut rows = Vec::new();
    let mut record = reader.into_records();
    while let Some(row) = record.next() {
        let line = record.reader().position().line();
        match row {
            Ok(row) => {
                let line = row.position().map_or(line, csv::Position::line);
                let place = format!("{}: line {line}", shown(path));
                rows.push(read_row(&columns, time_column, &row, folder, place));
            }
            Err(error) => {
                let line = error.position().map_or(line, csv::Position::line);
                let place = format!("{}: line {line}", shown(path));
                let draft = Draft { place, has_columns: true, ..Draft::default() };
                rows.push(Err(BadRow { draft: Box::new(draft), problem: said(&error) }));
            }
        }
    }
    Ok(rows)
}

/// What is wrong with the file itself, without the place that is named already.
fn said(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8: save the file as UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

fn read_row(
    columns: &StringRecord,
    time_column: &str,
    row: &StringRecord,
    folder: &Path,
    place: String,
) -> Row {
    let mut draft = Draft { place, has_columns: true, folder: folder.to_owned(), ..Draft::default() };
    if row.len() != columns.len() {
        let problem = format!(
            "it has {} fields and the header has {}: quote fields that hold the separator",
            row.len(),
            columns.len()
        );
        return Err(BadRow { draft: Box::new(draft), problem });
    }
    let mut meta = Map::new();
    let mut problem = None;
    for (column, field) in columns.iter().zip(row) {
        let (column, field) = (column.trim(), field.trim());
        let known = if !time_column.is_empty() && column.eq_ignore_ascii_case(time_column) {
            Some(SUBMITTED)
        } else {
            let known = COLUMNS.iter().find(|known| known.eq_ignore_ascii_case(column)).copied();
            known.filter(|known| *known != SUBMITTED)
        };
        let given = || (!field.is_empty()).then(|| field.to_owned());
        match known {
            Some("student") => field.clone_into(&mut draft.student),
            Some("source") => {
                draft.sources = field
                    .split(';')
                    .map(str::trim)
                    .filter(|part| !part.is_empty())
                    .map(|part| folder.join(part))
                    .collect();
            }
            Some("name") => draft.name = given(),
            Some("problem") => draft.problem = given(),
            Some("language") => draft.language = given(),
            Some("entry_point") => draft.entry_point = given(),
            Some(SUBMITTED) => match given().map(|text| text.parse::<jiff::Timestamp>()) {
                None => {}
                Some(Ok(time)) => draft.submitted = Some(time),
                Some(Err(_)) => {
                    problem = Some(format!(
                        "column {column}: '{}' is not a time: write it like 2026-11-20T23:59:00+01:00",
                        super::super::output::one_line(field)
                    ));
                }
            },
            _ if column.is_empty() => {}
            _ => {
                meta.insert(column.to_owned(), Value::from(field));
            }
        }
    }
    draft.meta = meta;
    if draft.student.is_empty() {
        problem = Some("column student: it is empty: name whose work this is".to_owned());
    } else if draft.sources.is_empty() {
        problem = Some("column source: it is empty: name a file or a folder".to_owned());
    } else if let Some(link) = draft.sources.iter().find_map(|source| location::link_in(source, folder)) {
        problem = Some(format!(
            "column source: '{}' is a symbolic link; put the file or folder itself there, or name the path it leads to",
            shown(&link)
        ));
    }
    match problem {
        Some(problem) => Err(BadRow { draft: Box::new(draft), problem }),
        None => Ok(draft),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(text: &[u8]) -> Result<Vec<Row>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("students.csv");
        std::fs::write(&path, text).unwrap();
        read(&path, SUBMITTED).map_err(|error| error.to_string())
    }

    #[test]
    fn known_columns_are_read_and_others_passed_on() {
        let text = "\u{feff}Student,source,name,submitted,row\r\n\
                    s1,\"a.py; b.py\",\"Müller, Anna\",2026-11-20T23:59:00+01:00,7\r\n";
        let rows = rows(text.as_bytes()).unwrap();
        let draft = rows[0].as_ref().unwrap();
        assert_eq!((draft.student.as_str(), draft.name.as_deref()), ("s1", Some("Müller, Anna")));
        assert_eq!(draft.sources.len(), 2);
        assert!(draft.sources[1].ends_with("b.py") && draft.sources[1].is_absolute());
        assert_eq!(draft.submitted.unwrap().to_string(), "2026-11-20T22:59:00Z");
        assert_eq!(draft.meta["row"], "7");
    }

    #[test]
    fn semicolons_separate_where_the_header_says_so() {
        let rows = rows(b"student;source\ns1;a.py\n").unwrap();
        assert_eq!(rows[0].as_ref().unwrap().student, "s1");
    }

    #[test]
    fn bad_rows_are_named_with_line_and_column() {
        let text = "student,source,submitted\n,a.py,\nanna,,\nbert,b.py,yesterday\ncarl,c.py\n\
                    dora,d.py,\n\"e\ne\",,\nfritz,,\n";
        let rows = rows(text.as_bytes()).unwrap();
        let said: Vec<_> = rows
            .iter()
            .filter_map(|row| row.as_ref().err())
            .map(|bad| format!("{}: {}", bad.draft.place.rsplit("csv: ").next().unwrap(), bad.problem))
            .collect();
        for (place, expected) in [
            "line 2: column student: it is empty",
            "line 3: column source: it is empty",
            "line 4: column submitted: 'yesterday' is not a time",
            "line 5: it has 2 fields and the header has 3",
            "line 7: column source",
            "line 9: column source",
        ]
        .iter()
        .enumerate()
        {
            assert!(said[place].starts_with(expected), "{place}: {}", said[place]);
        }
        assert_eq!(rows.iter().filter(|row| row.is_ok()).count(), 1);
    }

    #[test]
    fn what_is_no_such_csv_is_refused_with_its_first_line() {
        assert!(rows(b"name,file\nx,y\n").unwrap_err().contains("line 1: there is no column 'student'"));
        assert!(rows(b"").unwrap_err().contains("no column"));
        assert!(rows(b"student,source,x,x\n").unwrap_err().contains("'x' is there twice"));
        let latin = rows(b"student,source\nM\xfcller,a.py\nb,b.py\n").unwrap();
        let refused = latin[0].as_ref().unwrap_err();
        assert!(refused.problem.contains("UTF-8") && refused.draft.place.ends_with("line 2"), "{refused:?}");
        assert!(latin[1].is_ok());
    }

    #[test]
    fn a_link_is_no_source() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (inside, outside) = (folder.path().join("a.py"), elsewhere.path().join("key.py"));
        std::fs::write(&inside, "1").unwrap();
        std::fs::write(&outside, "secret").unwrap();
        std::os::unix::fs::symlink(&outside, folder.path().join("b.py")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("c")).unwrap();
        std::os::unix::fs::symlink("a.py", folder.path().join("d.py")).unwrap();
        let path = folder.path().join("students.csv");
        let outside = outside.display();
        let text =
            format!("student,source\na,a.py\nb,a.py;b.py\nc,./c/key.py\nd,d.py\ne,{outside}\nf,none.py\n");
        std::fs::write(&path, text.replace("a.py;b.py", "\"a.py;b.py\"")).unwrap();
        let rows = read(&path, SUBMITTED).unwrap();
        let refused: Vec<_> = rows.iter().filter_map(|row| row.as_ref().err()).collect();
        assert_eq!(refused.iter().map(|bad| bad.draft.student.as_str()).collect::<Vec<_>>(), ["b", "c", "d"]);
        assert!(
            refused.iter().all(|bad| bad.problem.contains("column source") && bad.problem.contains("link"))
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut text = b"student,source\n".to_vec();
            text.extend(&bytes);
            let _ = rows(&bytes);
            let _ = rows(&text);
        }
    }
}
