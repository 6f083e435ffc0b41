//! How a checker program is called and how it answers: the conventions of five families of tools.
//!
//! Pure functions of what a run of a checker left behind; nothing here runs anything. An answer that its protocol
//! does not know is a [`BrokenProtocol`]: it decides nothing about the output that was checked, so it can be neither
//! an acceptance nor a rejection.

mod cms;
mod dmoj;
mod kattis;
mod sinol;
mod testlib;
mod text;

/// A convention between judges and checkers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Kattis output validators (problem package format, "Output validators"): `input answer feedback/ [arguments]`,
    /// the output on standard input; exit code 42 accepts, 43 rejects; messages and scores are files in the feedback
    /// directory.
    Kattis,
    /// testlib (`testlib.h`): `input output answer [arguments]`; exit code 0 accepts, 1, 2, 4 and 8 reject, 7 accepts
    /// in part; the message is on standard error.
    Testlib,
    /// testlib, where points are a part of what the test is worth: 0 to 1, or a percentage above 1 (Hydro, UOJ).
    TestlibFraction,
    /// sinol packages (`sinol-make`): `input output answer`; `OK` or `WRONG`, a comment and a percentage on standard
    /// output.
    Sinol,
    /// CMS ("Checker"): `input answer output [arguments]`; exit code 0, a score between 0 and 1 in the first line of
    /// standard output, and the contestant's message in the first line of standard error.
    Cms,
    /// DMOJ's bridged checkers (`bridged`, `type`).
    Dmoj(DmojKind),
}

/// DMOJ's `type` of a bridged checker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DmojKind {
    /// `default`: `input output answer`; exit code 0 accepts, 1 rejects.
    Default,
    /// `testlib`: as `default`, with 2 rejecting and 7 accepting in part, `points N` being on standard error.
    Testlib,
    /// `coci`: as `testlib`, but a part is `partial A/B`.
    Coci,
    /// gavel's own, for graders in Python (`custom_judge`): `input answer feedback/`; exit code 0 accepts, 1 rejects and 7
    /// gives the part in `score_multiplier.txt`; `teammessage.txt` is for the contestant.
    Grader,
    /// `peg`: `answer output input`; exit code 0 accepts and 1 rejects, but for the part that two lines on standard
    /// output make.
    Peg,
}

/// Whether a checker's score counts (Kattis legacy: `validation: custom score`, `grading.custom_scoring`; 2025-09,
/// "Scoring test cases").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CustomScore {
    /// A score from it breaks the protocol.
    #[default]
    Refused,
    /// It may give one.
    Allowed,
    /// It must give one for every accepted output.
    Required,
    /// It may give one, which nobody looks at (2025-09: samples).
    Ignored,
}

/// What a checker is told: paths, and what the run under judgement used.
#[derive(Debug, Clone, Copy)]
pub struct CheckerPaths<'a> {
    /// The test's input.
    pub input: &'a str,
    /// The output under judgement.
    pub output: &'a str,
    /// The jury's answer.
    pub answer: &'a str,
    /// The feedback directory, with a slash at its end.
    pub feedback: &'a str,
    /// What the run that made the output used; nothing where there was none.
    pub used: Used,
    /// The submission's own file, for checkers that ask for it.
    pub submission: &'a str,
    /// The submission's language; empty where there is none.
    pub language: &'a str,
}

/// What a run used.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Used {
    /// CPU time, in milliseconds.
    pub cpu_ms: f64,
    /// Wall time, in milliseconds.
    pub wall_ms: f64,
    /// The most memory it held, in KiB.
    pub memory_kib: u64,
}

impl CheckerPaths<'_> {
    /// A package's own order of arguments, with the paths in place of `{input}`, `{output}`, `{answer}`, and
    /// what a word is as a whole in place of `{feedback}`, `{submission}`, `{language}`, `{cpu_ms}`, `{wall_ms}` and
    /// `{memory_kib}`.
    pub fn put_into(&self, call: &[String]) -> impl Iterator<Item = String> {
        let used = self.used;
        call.iter().map(move |word| match word.as_str() {
            "{cpu_ms}" => used.cpu_ms.to_string(),
            "{wall_ms}" => used.wall_ms.to_string(),
            "{memory_kib}" => used.memory_kib.to_string(),
            "{submission}" => self.submission.to_owned(),
            "{language}" => self.language.to_owned(),
            "{feedback}" => self.feedback.to_owned(),
            word => word
                .replace("{input}", self.input)
                .replace("{output}", self.output)
                .replace("{answer}", self.answer),
        })
    }
}

/// What a run of a checker that ended by itself left behind.
#[derive(Debug, Clone, Copy)]
pub struct Finished<'a> {
    /// Its exit code.
    pub code: i32,
    /// The beginning of its standard output.
    pub stdout: &'a [u8],
    /// The beginning of its standard error.
    pub stderr: &'a [u8],
    /// Files of the feedback directory.
    pub feedback: &'a Feedback,
}

/// The beginnings of the files in a feedback directory that mean something; `None` where there is no such file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Feedback {
    /// `judgemessage.txt`.
    pub judge_message: Option<Vec<u8>>,
    /// `teammessage.txt`.
    pub team_message: Option<Vec<u8>>,
    /// `score.txt`.
    pub score: Option<Vec<u8>>,
    /// `score_multiplier.txt`.
    pub score_multiplier: Option<Vec<u8>>,
    /// Whether there is a `nextpass.in`.
    pub next_pass: bool,
}

/// What a checker said.
#[derive(Debug, Clone, PartialEq)]
pub struct Opinion {
    /// Whether the output is right.
    pub grade: Grade,
    /// How many points it is worth, where the checker says so.
    pub score: Option<Score>,
    /// For the contestant: several lines, bounded, safe to show.
    pub team_message: String,
    /// For the jury alone: several lines, bounded, safe to show.
    pub judge_message: String,
}

/// Whether an output is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// It is.
    Accepted,
    /// In part; [`Opinion::score`] says how much.
    Partial,
    /// It is not.
    Wrong,
}

/// A checker's score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Score {
    /// So many points, whatever the test is worth.
    Points(f64),
    /// This part of what the test is worth, 0 to 1.
    Fraction(f64),
}

/// An answer that means nothing in its protocol: the checker's fault, never the contestant's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BrokenProtocol(String);

impl Protocol {
    /// Whether the output is handed over on standard input instead of as a file.
    pub fn reads_output_from_stdin(self) -> bool {
        self == Self::Kattis
    }

    /// Whether a checker may leave files in a feedback directory.
    pub fn has_feedback_directory(self) -> bool {
        matches!(self, Self::Kattis | Self::Dmoj(DmojKind::Grader))
    }

    /// Whether its exit codes are none that runtimes end with when a program of theirs dies.
    pub fn has_codes_of_its_own(self) -> bool {
        self == Self::Kattis
    }

    /// The arguments that come before a package's own.
    pub fn arguments(self, paths: &CheckerPaths<'_>) -> Vec<String> {
        let CheckerPaths { input, output, answer, feedback, .. } = *paths;
        let arguments = match self {
            Self::Kattis | Self::Dmoj(DmojKind::Grader) => [input, answer, feedback],
            Self::Testlib
            | Self::TestlibFraction
            | Self::Sinol
            | Self::Dmoj(DmojKind::Default | DmojKind::Testlib | DmojKind::Coci) => [input, output, answer],
            Self::Cms => [input, answer, output],
            Self::Dmoj(DmojKind::Peg) => [answer, output, input],
        };
        arguments.map(str::to_owned).to_vec()
    }

    /// The arguments of an interactor that come before a package's own. testlib's writes a file where a checker reads
    /// one; DMOJ's `default`, `coci` and `peg` are told of no output.
    pub fn interactor_arguments(self, paths: &CheckerPaths<'_>) -> Vec<String> {
        match self {
            Self::Dmoj(DmojKind::Default | DmojKind::Coci | DmojKind::Peg) => {
                [paths.input, paths.answer].map(str::to_owned).to_vec()
            }
            Self::Kattis
            | Self::Testlib
            | Self::TestlibFraction
            | Self::Sinol
            | Self::Cms
            | Self::Dmoj(DmojKind::Testlib | DmojKind::Grader) => self.arguments(paths),
        }
    }

    /// Whether an interactor that ended with this code may have accepted: the program it talked with has then still
    /// to end well. After any other nothing that program does matters.
    pub fn may_accept(self, code: i32) -> bool {
        match self {
            Self::Kattis => code == 42,
            // `_pc` exits with its part, whatever that is.
            Self::Testlib | Self::TestlibFraction => !matches!(code, 1..=4 | 8),
            Self::Sinol => (0..=2).contains(&code),
            Self::Cms => code == 0,
            Self::Dmoj(DmojKind::Default) => code == 0,
            Self::Dmoj(DmojKind::Testlib | DmojKind::Coci | DmojKind::Grader) => matches!(code, 0 | 7),
            Self::Dmoj(DmojKind::Peg) => matches!(code, 0 | 1),
        }
    }

    /// What the checker said.
    ///
    /// # Errors
    /// When it said nothing the protocol knows, or more than it may.
    pub fn interpret(self, finished: &Finished<'_>, scores: CustomScore) -> Result<Opinion, BrokenProtocol> {
        match self {
            Self::Kattis => kattis::interpret(finished, scores),
            Self::Testlib => testlib::interpret(finished, scores),
            Self::TestlibFraction => {
                testlib::interpret(finished, CustomScore::Allowed).and_then(testlib::as_fraction)
            }
            Self::Sinol => sinol::interpret(finished),
            Self::Cms => cms::interpret(finished),
            Self::Dmoj(kind) => dmoj::interpret(kind, finished),
        }
    }
}

impl Opinion {
    /// Without a score and without messages.
    fn plain(grade: Grade) -> Self {
        Self { grade, score: None, team_message: String::new(), judge_message: String::new() }
    }
}

/// The complaint about an exit code, with what the checker said last.
fn exit_code(finished: &Finished<'_>, known: &str) -> BrokenProtocol {
    let said = text::first_line(finished.stderr);
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    BrokenProtocol(format!("it exited with code {}, where {known}{said}", finished.code))
}
