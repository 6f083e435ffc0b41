//! Parses `gen/GEN`: one test a line, and comments that begin subtasks.

use std::path::Path;

use crate::package::source::error::{PackageError, one_line};

/// Longer files are no lists of tests.
const MOST_TESTS: usize = 50_000;
/// More subtasks than anybody would show contestants.
pub(super) const MOST_SUBTASKS: usize = 1000;

/// The content of the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GenFile {
    /// Tests of a task without subtasks, and those before the first.
    pub loose: Vec<GenTest>,
    /// The subtasks in order.
    pub subtasks: Vec<GenSubtask>,
    /// Lines, from 1, that name subtasks on which another depends (task-maker: `#STDEP:`). CMS takes them for comments.
    pub dependencies: Vec<u64>,
}

/// A subtask: `#ST: points`.
#[derive(Debug, Clone, PartialEq)]
pub struct GenSubtask {
    /// The line it begins at, from 1.
    pub line: u64,
    /// Its points.
    pub points: f64,
    /// `#STNAME: name`.
    pub name: Option<String>,
    /// Its tests.
    pub tests: Vec<GenTest>,
}

/// A test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenTest {
    /// The line it stands on, from 1.
    pub line: u64,
    /// Where its input comes from.
    pub source: GenSource,
}

/// Where the input of a test comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GenSource {
    /// The generator, with these arguments.
    Run(String),
    /// `#COPY: path` below the task's directory.
    Copy(String),
}

impl GenFile {
    /// All tests in order.
    pub fn all(&self) -> impl Iterator<Item = &GenTest> {
        self.loose.iter().chain(self.subtasks.iter().flat_map(|subtask| &subtask.tests))
    }

    /// How many tests there are.
    pub fn tests(&self) -> usize {
        self.loose.len() + self.subtasks.iter().map(|subtask| subtask.tests.len()).sum::<usize>()
    }
}

/// Reads `GEN`.
///
/// # Errors
/// When a line is two things at once, or points are no number.
pub fn parse_gen_file(text: &str) -> Result<GenFile, PackageError> {
    let mut file = GenFile::default();
    for (index, line) in text.lines().enumerate() {
        let number = index as u64 + 1;
        let wrong = |key: &str, problem: String, remedy: &str| {
            PackageError::value(number, key, problem, remedy).in_file(Path::new("gen/GEN"))
        };
        let (test, comment) = match line.split_once('#') {
            Some((test, comment)) => (test.trim(), comment.trim()),
            None => (line.trim(), ""),
        };
        let copied = comment.strip_prefix("COPY:").map(str::trim);
        let subtask = comment.strip_prefix("ST:").map(str::trim);
        if comment.starts_with("STDEP:") {
            file.dependencies.push(number);
        }
        let named = comment.strip_prefix("STNAME:").map(str::trim);
        if usize::from(!test.is_empty()) + usize::from(copied.is_some()) + usize::from(subtask.is_some()) > 1
        {
            let problem = "a test and a command on one line".to_owned();
            return Err(wrong("", problem, "give each a line of its own"));
        }
        if let Some(points) = subtask {
            let points =
                points.parse::<f64>().ok().filter(|points| (0.0..=1e9).contains(points)).ok_or_else(
                    || {
                        wrong(
                            "ST",
                            format!("'{}' is not a number of points", one_line(points)),
                            "give a number: #ST: 30",
                        )
                    },
                )?;
            if file.subtasks.is_empty() && !file.loose.is_empty() {
                let problem = "there are tests before the first subtask".to_owned();
                return Err(wrong("ST", problem, "put them into a subtask"));
            }
            if file.subtasks.len() >= MOST_SUBTASKS {
                let problem = format!("there are more than {MOST_SUBTASKS} subtasks");
                return Err(wrong("ST", problem, "put the tests into fewer"));
            }
            file.subtasks.push(GenSubtask { line: number, points, name: None, tests: Vec::new() });
        } else if let (Some(name), Some(subtask)) = (named, file.subtasks.last_mut()) {
            subtask.name = Some(one_line(name)).filter(|name| !name.is_empty());
        }
        let source = match copied {
            Some(path) => GenSource::Copy(path.to_owned()),
            None if test.is_empty() => continue,
            None => GenSource::Run(test.to_owned()),
        };
        let test = GenTest { line: number, source };
        match file.subtasks.last_mut() {
            Some(subtask) => subtask.tests.push(test),
            None => file.loose.push(test),
        }
        if file.tests() > MOST_TESTS {
            return Err(wrong("", format!("there are more than {MOST_TESTS} tests"), "split the task"));
        }
    }
    Ok(file)
}

/// Another list of tests, which only task-maker reads; from it comes a `GEN` without the generators.
pub(super) const CASES: &str = "cases.gen";

/// The error for tests that only `gen/cases.gen` can make.
pub(super) fn unread_cases(path: &Path) -> PackageError {
    let supported = "make the tests with task-maker first, which also writes gen/GEN";
    PackageError::unsupported(0, "", "a list of tests in task-maker's format cases.gen", supported)
        .in_file(path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tests_and_subtasks_are_told_apart() {
        let file = parse_gen_file(
            "# note\n\n#ST: 40\n#STNAME: small\n1 2\n3 4 # second\n #COPY: gen/x.txt\n# ST: 60\n5\n",
        )
        .unwrap();
        assert_eq!((file.tests(), file.loose.len()), (4, 0));
        let shown: Vec<_> = file
            .subtasks
            .iter()
            .map(|one| (one.points, one.name.as_deref(), one.tests.len(), one.line))
            .collect();
        assert_eq!(shown, [(40.0, Some("small"), 3, 3), (60.0, None, 1, 8)]);
        let copied = GenTest { line: 7, source: GenSource::Copy("gen/x.txt".to_owned()) };
        assert_eq!(file.all().nth(2), Some(&copied));
        assert_eq!(parse_gen_file("1\n2\n").unwrap().loose.len(), 2);
    }

    #[test]
    fn lines_that_mean_two_things_are_refused() {
        for (text, expected) in [
            ("1 #ST: 5\n", "gen/GEN:1: a test and a command"),
            ("1 #COPY: x\n", "gen/GEN:1: a test and a command"),
            ("\n#ST: many\n", "gen/GEN:2: ST: 'many'"),
            ("1\n#ST: 5\n", "gen/GEN:2: ST: there are tests before"),
            ("#ST: -5\n", "ST: '-5'"),
            ("#ST: nan\n", "ST: 'nan'"),
        ] {
            let error = parse_gen_file(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "([#:ST COPYNAME0-9a-z\n]|\\PC){0,200}") {
            if let Ok(file) = parse_gen_file(&text) {
                prop_assert!(file.tests() <= text.lines().count());
            }
        }
    }
}
