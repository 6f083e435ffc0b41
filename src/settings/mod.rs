//! What a worker is told: one list of keys, read from a TOML file, the environment and flags.
//!
//! [`KEYS`] is the only place a setting is named. The flags of `gavel worker`, the names of environment
//! variables, what a file may say, the defaults, the help and `--print-config` are all made from it.
//!
//! What always holds:
//! - a flag wins over the environment, the environment over the file, the file over the default, and each
//!   value knows which of them it is from;
//! - a value is parsed by one function wherever it is from, and an error is one line with the place, the key and
//!   what is accepted;
//! - a password is a [`Secret`], and no text made here shows it.
//!
//! It refuses to do anything with them: nobody connects, listens, fetches or opens a cache here. What another module
//! is told as a whole ([`crate::workspace::FetchSettings`]) is that module's own type, filled here.

mod error;
mod file;
mod flags;
mod keys;
mod layers;
mod print;
mod secret;
mod typed;
mod value;

pub use error::SettingsError;
pub use flags::{AccessFlags, SettingFlags};
pub use keys::{Fallback, KEYS, Key, Places};
pub use layers::{DEFAULT_FILE, Origin, Resolved, Setting};
pub use secret::{Secret, without_passwords};
pub use typed::{AmqpSettings, Settings, TlsSettings};
pub use value::{Kind, Value};
