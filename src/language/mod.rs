//! The language table: `languages.toml`, parsed and validated. Adding a language needs no Rust.
//!
//! Everything about a language is data: how its sources become a program, how the program is run, what
//! its boxes show, what its runtime needs. A table that loads holds only entries that can be used: every
//! template names known placeholders and what its artifact needs, every limit is positive, every mount
//! absolute; so nothing later has to doubt a [`Language`]. Whether the toolchain is installed is not
//! known here: nothing in this module starts a process.
//!
//! ```text
//! text ──parse──▶ raw structs with places ──validate──▶ Table ──guess──▶ Language ──expand──▶ argv
//! ```

pub(crate) mod encoding;
mod entry;
mod error;
mod guess;
mod limits;
mod model;
mod place;
mod raw;
mod table;
mod template;
mod validate;
mod version;

pub use encoding::EncodingError;
pub use entry::{Order, Part, Unclear};
pub use error::LanguageError;
pub use model::{Artifact, CompileLimits, Joining, Language, Prepare, RunAllowance, Table, Unbuffered};
pub use template::{Placeholders, expand};
pub use version::version_line;
