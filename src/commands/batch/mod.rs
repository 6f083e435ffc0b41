//! Submissions of a whole class, as `gavel submit` sends and `gavel grade` judges them.
//!
//! A `roster` says who hands in what: a CSV, a folder or a zip, with a learning platform's names or without. `work` brings
//! each student's files into the form that is judged, `entry` makes a submission of them, the `journal` remembers what was
//! done, and `results` and `feedback` show it. Whatever a student hands in gets a row, with a verdict or with one reason
//! why there is none.

mod csv_roster;
mod entry;
mod feedback;
mod folder_roster;
mod git;
mod journal;
mod live;
mod location;
mod moodle;
mod notebook;
mod results;
mod roster;
mod text;
mod work;

pub(crate) use entry::{Entry, Options, Problem, Waiting, prepare, refuse_unusable};
pub(crate) use journal::Journal;
pub(crate) use live::Live;
pub(crate) use results::{Style, exit_code, show};
pub(crate) use roster::{Roster, Times, check_due};
