//! A language table as it is written, before anything is checked: structs for the TOML, each value with
//! its place in the file where a later complaint needs one.

use serde::Deserialize;
use toml::Spanned;

/// Text with its place.
pub(super) type Text = Spanned<String>;

/// A list with the places of its entries and its own.
pub(super) type List = Spanned<Vec<Text>>;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTable {
    pub(super) extends: Option<Text>,
    #[serde(default)]
    pub(super) language: Vec<Spanned<RawLanguage>>,
}

/// One `[[language]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLanguage {
    pub(super) id: Text,
    pub(super) name: Text,
    pub(super) sources: RawSources,
    pub(super) shebangs: Option<List>,
    pub(super) line_mark: Option<Text>,
    pub(super) compile: Option<List>,
    pub(super) artifact: Option<Text>,
    pub(super) joins: Option<Text>,
    pub(super) run: List,
    pub(super) version: List,
    pub(super) profile: Text,
    pub(super) mounts: Option<List>,
    #[serde(default)]
    pub(super) proc: bool,
    pub(super) env: Option<List>,
    #[serde(default)]
    pub(super) limits: RawLimits,
    #[serde(default)]
    pub(super) compile_limits: RawCompileLimits,
    pub(super) prepare: Option<RawPrepare>,
    pub(super) unbuffered: Option<RawUnbuffered>,
    #[serde(default)]
    pub(super) keeps_mark: bool,
    pub(super) jury_env: Option<List>,
    pub(super) crash: Option<List>,
    pub(super) crash_end: Option<List>,
    pub(super) crash_codes: Option<Spanned<Vec<Spanned<i64>>>>,
    pub(super) out_of_memory: Option<List>,
    pub(super) hello: Text,
}

/// `sources`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSources {
    pub(super) default: Text,
    pub(super) extensions: List,
}

/// `limits`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    pub(super) time_factor: Option<Spanned<f64>>,
    pub(super) time_extra: Option<Text>,
    pub(super) memory_extra: Option<Text>,
    pub(super) processes: Option<Spanned<i64>>,
}

/// `compile_limits`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCompileLimits {
    pub(super) cpu: Option<Text>,
    pub(super) wall: Option<Text>,
    pub(super) memory: Option<Text>,
    pub(super) output: Option<Text>,
    pub(super) processes: Option<Spanned<i64>>,
}

/// `prepare`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPrepare {
    #[serde(default)]
    pub(super) files: Vec<RawFile>,
    pub(super) command: List,
}

/// `unbuffered`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUnbuffered {
    pub(super) env: Option<List>,
    pub(super) file: Option<RawFile>,
}

/// A file written in the table: one of `prepare.files`, `unbuffered.file`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    pub(super) name: Text,
    pub(super) text: String,
}
