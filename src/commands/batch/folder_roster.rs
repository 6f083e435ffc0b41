//! Reads a folder of students' work: everything directly in it is a student's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::CommandError;
use super::super::start::shown;
use super::moodle;
use super::roster::{BadRow, Draft, Row};

/// What systems leave in folders.
const LEFTOVERS: [&str; 4] = ["__MACOSX", "Thumbs.db", "desktop.ini", "$RECYCLE.BIN"];

/// What a platform says one student handed in.
#[derive(Debug, Default)]
struct Participant {
    name: String,
    number: String,
    folder: String,
    files: Vec<PathBuf>,
    /// Text typed into the platform.
    typed: Vec<PathBuf>,
}

/// Reads every file and folder directly in a folder; `called` is what messages call the folder.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn read(folder: &Path, called: &Path) -> Result<Vec<Row>, CommandError> {
    let fail = |error: std::io::Error| CommandError::Usage(format!("batch '{}': {error}", shown(called)));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let name = path.file_name().unwrap_or_default();
        let is_leftover = LEFTOVERS.iter().any(|leftover| name == *leftover);
        if !is_leftover && !name.as_encoded_bytes().starts_with(b".") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut participants: BTreeMap<(String, String), Participant> = BTreeMap::new();
    let mut rows = Vec::new();
    for path in paths {
        let text = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(name) = moodle::read(&text) else {
            rows.push(student(folder, called, path));
            continue;
        };
        let key = (name.name.to_owned(), name.number.to_owned());
        let participant = participants.entry(key).or_default();
        name.name.clone_into(&mut participant.name);
        name.number.clone_into(&mut participant.number);
        // The folder that is there is the one that is taken back.
        participant.folder = if path.is_dir() && name.kind == "file" { text.clone() } else { name.folder() };
        let list = if name.kind == "onlinetext" { &mut participant.typed } else { &mut participant.files };
        list.push(path);
    }
    rows.extend(participants.into_values().map(|participant| of_participant(folder, called, participant)));
    Ok(rows)
}

fn of_participant(folder: &Path, called: &Path, participant: Participant) -> Row {
    let Participant { name, number, folder: own, files, typed } = participant;
    let draft = Draft {
        student: number,
        place: shown(&called.join(&own)),
        name: Some(name),
        feedback_folder: Some(own),
        ..Draft::default()
    };
    if files.is_empty() {
        let problem = if typed.is_empty() {
            "there is no file in it"
        } else {
            "only text typed into the platform, no file"
        };
        return Err(BadRow { draft: Box::new(draft), problem: problem.to_owned() });
    }
    handed_in(folder, draft, files)
}

fn student(folder: &Path, called: &Path, path: PathBuf) -> Row {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let student = if path.is_dir() { name.clone() } else { super::text::stem(&name).to_owned() };
    let place = shown(&called.join(&name));
    handed_in(folder, Draft { student, place, ..Draft::default() }, vec![path])
}

/// Takes what a student handed in: a file or a folder in this one, not a link to the judge's or another student's.
fn handed_in(folder: &Path, mut draft: Draft, files: Vec<PathBuf>) -> Row {
    if files.iter().any(|path| path.is_symlink()) {
        let problem = "it is a symbolic link; put the file or folder itself there".to_owned();
        return Err(BadRow { draft: Box::new(draft), problem });
    }
    draft.sources = files;
    folder.clone_into(&mut draft.folder);
    Ok(draft)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(files: &[&str]) -> Vec<Row> {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        read(folder.path(), Path::new("class")).unwrap()
    }

    #[test]
    fn files_of_one_participant_are_one_submission() {
        let rows = rows(&[
            "Anna A_7_assignsubmission_file_/main.py",
            "Anna A_7_assignsubmission_onlinetext_/onlinetext.html",
            "Bert B_8_assignsubmission_file_a.py",
            "Bert B_8_assignsubmission_file_b.py",
            "Carl C_9_assignsubmission_onlinetext_onlinetext.html",
            "__MACOSX/x",
            ".DS_Store",
            "dora.py.txt",
        ]);
        let seen: Vec<_> = rows
            .iter()
            .map(|row| match row {
                Ok(draft) => (draft.student.clone(), draft.sources.len(), String::new()),
                Err(bad) => (bad.draft.student.clone(), 0, bad.problem.clone()),
            })
            .collect();
        let is = |student: &str, count, problem: &str| (student.to_owned(), count, problem.to_owned());
        assert_eq!(
            seen,
            [
                is("dora", 1, ""),
                is("7", 1, ""),
                is("8", 2, ""),
                is("9", 0, "only text typed into the platform, no file")
            ]
        );
        let anna = rows[1].as_ref().unwrap();
        assert_eq!(anna.name.as_deref(), Some("Anna A"));
        assert_eq!(anna.feedback_folder.as_deref(), Some("Anna A_7_assignsubmission_file_"));
        assert_eq!(anna.place, "class/Anna A_7_assignsubmission_file_");
    }

    #[test]
    fn a_link_is_no_work_wherever_it_leads() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("anna.py"), "x").unwrap();
        std::fs::create_dir(at("bert")).unwrap();
        for (target, link) in [("anna.py", "eve.py"), ("bert", "fritz"), ("/etc", "gina"), ("none", "hans")] {
            std::os::unix::fs::symlink(target, at(link)).unwrap();
        }
        let rows = read(folder.path(), Path::new("class")).unwrap();
        let taken: Vec<_> = rows.iter().flatten().map(|draft| draft.student.as_str()).collect();
        assert_eq!(taken, ["anna", "bert"]);
        let refused = rows.iter().filter_map(|row| row.as_ref().err());
        assert_eq!(refused.filter(|bad| bad.problem.contains("symbolic link")).count(), 4);
    }
}
