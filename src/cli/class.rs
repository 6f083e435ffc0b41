//! Flags of the commands that judge a class: grade, and what it shares with submit.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::LimitFlags;
use crate::submission::{Feedback, Stop};

/// What `gavel grade --help` ends with.
pub(super) const GRADE_HELP: &str = "\
A folder or a zip holds a file, a folder or a zip a student, as Moodle's \"Download all submissions\" makes it or with any \
names. A CSV has a header line with the columns student and source (a file, a folder or a zip, relative to the CSV), and \
optional name, problem, language, entry_point, submitted (RFC 3339); any other column comes back in the results. Sources \
may lie in folders, be called main.py.txt or MAIN.PY, be UTF-16, or a notebook, whose code cells are the program. \
Everyone gets a row: a verdict, or one reason why there is none.

The same command again judges only what is new: it goes on where it was interrupted, also after kill -9, and judges what \
students, the package or the options have changed since. The journal remembers; '--judging 2' judges everything anew.

Exit codes: 0 all accepted; 1 judged, and not; 2 wrong usage or package, or some work could not be judged; 3 judging \
errors; 130 and 143 after SIGINT and SIGTERM.";

/// `gavel grade`.
#[derive(Debug, Args)]
pub struct Grade {
    /// Problem package; or a folder of packages, where a column 'problem' of the CSV names one in each row
    #[arg(value_name = "PROBLEM")]
    pub problem: PathBuf,
    /// Students' work: a folder or a zip with a file, folder or zip a student, or a CSV
    #[arg(value_name = "FOLDER|CSV|ZIP")]
    pub work: PathBuf,
    /// Language id [default: by the files' endings; 'gavel languages' lists them]
    #[arg(short, long, value_name = "ID")]
    pub language: Option<String>,
    /// The source that each program starts with [default: told from the sources]
    #[arg(short, long, value_name = "NAME")]
    pub entry_point: Option<String>,
    /// When to stop: first-failure, group or full
    #[arg(short, long, value_name = "POLICY", default_value = "full")]
    pub policy: Stop,
    /// Only tests whose name matches, like 'sample/*'; may be repeated
    #[arg(short, long, value_name = "GLOB")]
    pub tests: Vec<String>,
    /// Which judging of it; another one judges the same again
    #[arg(long, value_name = "NAME", default_value = "1", value_parser = super::client::parse_name)]
    pub judging: String,
    /// When work was late, and which of a student's rows count.
    #[command(flatten)]
    pub deadline: DeadlineFlags,
    /// What is shown, and where.
    #[command(flatten)]
    pub results: ResultFlags,
    /// Where to remember what was judged [default: beside the results or the work, with '.journal' added]
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// Limits instead of the package's.
    #[command(flatten)]
    pub limits: LimitFlags,
}

/// When work was late, and which of a student's rows count.
#[derive(Debug, Clone, Args)]
pub struct DeadlineFlags {
    /// Latest time of work that is not late, like 2027-01-31T23:59:59Z
    #[arg(long, value_name = "TIME")]
    pub due: Option<jiff::Timestamp>,
    /// Where the times of work come from: a column of the CSV, or 'git', the last commit of each one's files
    #[arg(long, value_name = "COLUMN|git", default_value = "submitted")]
    pub times: String,
    /// Of several rows of one student for one problem, only the last
    #[arg(long)]
    pub latest: bool,
}

/// What is shown of submissions, and where.
#[derive(Debug, Clone, Args)]
pub struct ResultFlags {
    /// What to print
    #[arg(short, long, value_enum, default_value_t = SubmitFormat::Human, value_name = "FORMAT")]
    pub format: SubmitFormat,
    /// Write the results there instead of standard output
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Points of a perfect submission [default: the problem's highest score, else 100]
    #[arg(long, value_name = "NUMBER", value_parser = parse_points)]
    pub points: Option<f64>,
    /// Separate the fields of --format csv by ';', as Excel expects where the comma is the decimal point
    #[arg(long)]
    pub semicolons: bool,
    /// Begin --format csv with a byte order mark, by which Excel knows UTF-8
    #[arg(long)]
    pub bom: bool,
    /// Results of secret tests that are shown: none (verdict and score of the whole), case (those of each test), or full; by submit in its
    /// reports [default: all but what programs wrote], and by both in the files of --feedback-files [default: case]
    #[arg(long, value_name = "LEVEL")]
    pub feedback: Option<Feedback>,
    /// Write a text file for each student into this folder: verdict, tests, the compiler's messages, and of samples what went
    /// wrong; in Moodle's folders where the work came in such
    #[arg(long, value_name = "DIR")]
    pub feedback_files: Option<PathBuf>,
}

/// What `submit` and `grade` print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SubmitFormat {
    /// A table; of a single submission each test as it is judged
    Human,
    /// A line a submission, for a spreadsheet
    Csv,
    /// JUnit XML
    Junit,
    /// One JSON object with all reports
    Json,
    /// Every event as it happens, one JSON object a line; 'done' is the report
    Ndjson,
}

fn parse_points(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(points) if points.is_finite() && points > 0.0 => Ok(points),
        _ => Err(format!("'{text}' is not a number above 0")),
    }
}
