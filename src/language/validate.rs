//! From what is written to what can be used: every rule of the table, with the message for breaking it.

use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use toml::Spanned;

use super::place::Document;
use super::raw::{List, RawLanguage, RawPrepare, RawSources, RawUnbuffered, Text};
use super::template::{Piece, Placeholder, pieces};
use super::{Artifact, Joining, Language, LanguageError, Prepare, Unbuffered};
use crate::sandbox::Profile;

/// Directories of a box that gavel fills itself.
const RESERVED_MOUNTS: &[&str] = &["/w", "/tmp", "/program", "/prepared", "/dev", "/proc", "/sys"];

/// Checks all languages of a file.
pub(super) fn validate(
    document: Document<'_>,
    raw: &[Spanned<RawLanguage>],
) -> Result<Vec<Language>, LanguageError> {
    let mut languages: Vec<Language> = Vec::with_capacity(raw.len());
    for entry in raw {
        let entry = entry.get_ref();
        let rules = Rules { document, id: entry.id.get_ref() };
        if languages.iter().any(|language| language.id == *entry.id.get_ref()) {
            return Err(rules.broken(&entry.id.span(), "id", "it is there twice; ids are unique in a file"));
        }
        languages.push(rules.language(entry)?);
    }
    Ok(languages)
}

/// The rules for one language, and how to complain about it.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    document: Document<'a>,
    id: &'a str,
}

/// Where a template is used, and so what it may say.
struct Use<'a> {
    key: &'a str,
    accepted: &'a [Placeholder],
    /// At least one of these must be there.
    demanded: &'a [Placeholder],
    reason: &'a str,
}

impl Rules<'_> {
    pub(super) fn broken(&self, span: &Range<usize>, key: &str, problem: impl AsRef<str>) -> LanguageError {
        self.document
            .error_at(span, format!("language '{}': {key}: {}", self.id.escape_debug(), problem.as_ref()))
    }

    fn language(&self, raw: &RawLanguage) -> Result<Language, LanguageError> {
        self.id(&raw.id)?;
        self.plain_text("name", &raw.name)?;
        let (default_source, extensions) = self.sources(&raw.sources)?;
        let artifact = self.artifact(raw)?;
        Ok(Language {
            id: raw.id.get_ref().clone(),
            name: raw.name.get_ref().clone(),
            default_source,
            extensions,
            shebangs: self.shebangs(raw.shebangs.as_ref())?,
            line_mark: raw.line_mark.as_ref().map(|mark| self.line_mark(mark)).transpose()?,
            compile: raw.compile.as_ref().map(|argv| self.compile(argv, artifact)).transpose()?,
            artifact,
            joins: self.joins(raw)?,
            run: self.run(&raw.run, artifact)?,
            version: self
                .template(&raw.version, &Use { key: "version", accepted: &[], demanded: &[], reason: "" })?,
            profile: self.profile(&raw.profile)?,
            mounts: self.mounts(raw.mounts.as_ref())?,
            proc: raw.proc,
            env: self.env("env", raw.env.as_ref())?,
            limits: self.limits(&raw.limits)?,
            compile_limits: self.compile_limits(&raw.compile_limits)?,
            prepare: raw.prepare.as_ref().map(|prepare| self.prepare(prepare)).transpose()?,
            unbuffered: raw
                .unbuffered
                .as_ref()
                .map(|unbuffered| self.unbuffered(unbuffered, &raw.sources))
                .transpose()?,
            keeps_mark: raw.keeps_mark,
            jury_env: self.env("jury_env", raw.jury_env.as_ref())?,
            crash: self.beginnings("crash", raw.crash.as_ref())?,
            crash_end: self.beginnings("crash_end", raw.crash_end.as_ref())?,
            crash_codes: raw.crash_codes.as_ref().map(|codes| self.exit_codes(codes)).transpose()?,
            out_of_memory: self.beginnings("out_of_memory", raw.out_of_memory.as_ref())?,
            hello: self.hello(&raw.hello)?,
        })
    }

    fn id(&self, id: &Text) -> Result<(), LanguageError> {
        let text = id.get_ref();
        let well_formed = text.len() <= 64
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-._".contains(c));
        if well_formed {
            return Ok(());
        }
        let problem = "accepted: up to 64 of a-z, 0-9, '+', '-', '.', '_', a letter or digit first";
        Err(self.broken(&id.span(), "id", problem))
    }

    fn plain_text(&self, key: &str, text: &Text) -> Result<(), LanguageError> {
        if text.get_ref().trim().is_empty() {
            return Err(self.broken(&text.span(), key, "it is empty"));
        }
        if text.get_ref().chars().any(char::is_control) {
            return Err(self.broken(&text.span(), key, "control characters and line ends are not accepted"));
        }
        Ok(())
    }

    fn sources(&self, raw: &RawSources) -> Result<(String, Vec<String>), LanguageError> {
        let default = self.file_name("sources.default", &raw.default)?;
        let mut extensions = Vec::new();
        for extension in raw.extensions.get_ref() {
            let text = extension.get_ref();
            if text.is_empty()
                || text.contains(['.', '/'])
                || text.chars().any(|c| c.is_control() || c.is_whitespace())
            {
                let problem = format!(
                    "'{}' is no ending; accepted: endings without a dot like \"cpp\"",
                    text.escape_debug()
                );
                return Err(self.broken(&extension.span(), "sources.extensions", problem));
            }
            extensions.push(text.clone());
        }
        let ending = Path::new(&default).extension().and_then(|ending| ending.to_str()).unwrap_or("");
        if !extensions.is_empty() && !extensions.iter().any(|known| known == ending) {
            let problem = format!("'{default}' ends in none of the extensions {extensions:?}");
            return Err(self.broken(&raw.default.span(), "sources.default", problem));
        }
        Ok((default, extensions))
    }

    /// A name that is one component of a path and can be mistaken for nothing else.
    fn file_name(&self, key: &str, name: &Text) -> Result<String, LanguageError> {
        self.plain_text(key, name)?;
        let text = name.get_ref();
        if text.contains('/') || text.starts_with(['-', '.']) || text.len() > 255 {
            let problem = format!(
                "'{text}' is no file name; accepted: a name like \"main.c\", without '/', not beginning with '-' or '.'"
            );
            return Err(self.broken(&name.span(), key, problem));
        }
        Ok(text.clone())
    }

    fn shebangs(&self, names: Option<&List>) -> Result<Vec<String>, LanguageError> {
        let mut shebangs = Vec::new();
        for name in names.into_iter().flat_map(|names| names.get_ref()) {
            let text = name.get_ref();
            if text.is_empty()
                || text.contains('/')
                || text.chars().any(|c| c.is_control() || c.is_whitespace())
            {
                let problem = format!(
                    "'{}' is no interpreter's name; accepted: a name without its directory like \"python3\", or \"*\" for any",
                    text.escape_debug()
                );
                return Err(self.broken(&name.span(), "shebangs", problem));
            }
            shebangs.push(text.clone());
        }
        Ok(shebangs)
    }

    fn line_mark(&self, mark: &Text) -> Result<String, LanguageError> {
        self.plain_text("line_mark", mark)?;
        Ok(mark.get_ref().trim().to_owned())
    }

    /// How lines begin; `*` stands for anything.
    fn beginnings(&self, key: &str, list: Option<&List>) -> Result<Vec<String>, LanguageError> {
        let mut beginnings = Vec::new();
        for beginning in list.into_iter().flat_map(|list| list.get_ref()) {
            self.plain_text(key, beginning)?;
            beginnings.push(beginning.get_ref().clone());
        }
        Ok(beginnings)
    }

    fn exit_codes(&self, codes: &Spanned<Vec<Spanned<i64>>>) -> Result<Vec<i32>, LanguageError> {
        let mut accepted = Vec::new();
        for code in codes.get_ref() {
            match i32::try_from(*code.get_ref()).ok().filter(|code| (1..=255).contains(code)) {
                Some(code) => accepted.push(code),
                None => {
                    let problem =
                        format!("{} is no exit code of a failure; accepted: 1 to 255", code.get_ref());
                    return Err(self.broken(&code.span(), "crash_codes", problem));
                }
            }
        }
        Ok(accepted)
    }

    fn artifact(&self, raw: &RawLanguage) -> Result<Artifact, LanguageError> {
        let Some(written) = &raw.artifact else {
            return Ok(if raw.compile.is_some() { Artifact::Executable } else { Artifact::Sources });
        };
        let known = [Artifact::Executable, Artifact::Directory, Artifact::Sources];
        let Some(artifact) = known.into_iter().find(|artifact| artifact.id() == written.get_ref()) else {
            let problem = format!(
                "'{}' is unknown; accepted: \"executable\", \"directory\", \"sources\"",
                written.get_ref().escape_debug()
            );
            return Err(self.broken(&written.span(), "artifact", problem));
        };
        if raw.compile.is_none() && artifact != Artifact::Sources {
            let problem = format!(
                "'{}' needs a compile argv that makes it; without one only \"sources\" is accepted",
                artifact.id()
            );
            return Err(self.broken(&written.span(), "artifact", problem));
        }
        Ok(artifact)
    }

    /// As written; else by whether the compiler, or for want of one the interpreter, is handed all sources.
    fn joins(&self, raw: &RawLanguage) -> Result<Joining, LanguageError> {
        let known = [Joining::Listed, Joining::Found, Joining::Never];
        let Some(written) = &raw.joins else {
            let argv = raw.compile.as_ref().unwrap_or(&raw.run);
            let is_listed =
                argv.get_ref().iter().any(|argument| argument.get_ref() == Placeholder::Sources.written());
            return Ok(if is_listed { Joining::Listed } else { Joining::Found });
        };
        known.into_iter().find(|joining| joining.id() == written.get_ref()).ok_or_else(|| {
            let problem = format!(
                "'{}' is unknown; accepted: \"listed\", \"found\", \"never\"",
                written.get_ref().escape_debug()
            );
            self.broken(&written.span(), "joins", problem)
        })
    }

    fn compile(&self, argv: &List, artifact: Artifact) -> Result<Vec<String>, LanguageError> {
        use Placeholder::{Dir, Exe, Source, Sources, Stem};
        let accepted = &[Sources, Source, Stem, Exe, Dir];
        let (demanded, reason): (&[Placeholder], _) = match artifact {
            Artifact::Executable => {
                (&[Exe], "the program is what the compiler writes there (artifact = \"executable\")")
            }
            Artifact::Directory => {
                (&[Dir], "the program is what the compiler writes there (artifact = \"directory\")")
            }
            Artifact::Sources => (&[], ""),
        };
        self.template(argv, &Use { key: "compile", accepted, demanded, reason })?;
        let reason = "the compiler would not see the program";
        self.template(argv, &Use { key: "compile", accepted, demanded: &[Sources, Source], reason })
    }

    fn run(&self, argv: &List, artifact: Artifact) -> Result<Vec<String>, LanguageError> {
        use Placeholder::{Dir, Exe, MemoryMib, Source, Sources, Stem};
        let (accepted, demanded): (&[Placeholder], &[Placeholder]) = match artifact {
            Artifact::Executable => (&[Exe, Dir, Stem, MemoryMib], &[Exe]),
            Artifact::Directory => (&[Dir, Exe, Stem, MemoryMib], &[Dir, Exe]),
            Artifact::Sources => (&[Source, Sources, Dir, Stem, MemoryMib], &[Source, Sources, Dir]),
        };
        let reason = format!("the program would not be run (artifact = \"{}\")", artifact.id());
        self.template(argv, &Use { key: "run", accepted, demanded, reason: &reason })
    }

    /// An argv whose placeholders are all known and accepted where it is used.
    fn template(&self, argv: &List, place: &Use<'_>) -> Result<Vec<String>, LanguageError> {
        let key = place.key;
        let Some(program) = argv.get_ref().first() else {
            let problem = "it is empty; accepted: a program and its arguments like [\"gcc\", \"{sources}\"]";
            return Err(self.broken(&argv.span(), key, problem));
        };
        if program.get_ref().is_empty() {
            return Err(self.broken(&program.span(), key, "the program's name is empty"));
        }
        let mut found = Vec::new();
        for argument in argv.get_ref() {
            if argument.get_ref().contains('\0') {
                return Err(self.broken(&argument.span(), key, "an argument cannot hold a NUL"));
            }
            for piece in pieces(argument.get_ref()) {
                match piece {
                    Piece::Text(_) => {}
                    Piece::Placeholder(Placeholder::Sources)
                        if argument.get_ref() != Placeholder::Sources.written()
                            && place.accepted.contains(&Placeholder::Sources) =>
                    {
                        let problem = "{sources} must be an argument of its own: it becomes one argument for each source";
                        return Err(self.broken(&argument.span(), key, problem));
                    }
                    Piece::Placeholder(known) if place.accepted.contains(&known) => found.push(known),
                    Piece::Placeholder(known) => return Err(self.unknown(argument, place, known.written())),
                    Piece::Unknown(text) => return Err(self.unknown(argument, place, text)),
                }
            }
        }
        if !place.demanded.is_empty() && !place.demanded.iter().any(|placeholder| found.contains(placeholder))
        {
            let problem = format!("{} is missing: {}", list(place.demanded, " or "), place.reason);
            return Err(self.broken(&argv.span(), key, problem));
        }
        Ok(argv.get_ref().iter().map(|argument| argument.get_ref().clone()).collect())
    }

    fn unknown(&self, argument: &Text, place: &Use<'_>, written: &str) -> LanguageError {
        let accepted = if place.accepted.is_empty() { "none".to_owned() } else { list(place.accepted, ", ") };
        let problem = format!(
            "'{}' is no placeholder here; accepted: {accepted}, and {{{{ and }}}} for literal braces",
            written.escape_debug()
        );
        self.broken(&argument.span(), place.key, problem)
    }

    fn profile(&self, profile: &Text) -> Result<Profile, LanguageError> {
        match profile.get_ref().as_str() {
            "native" => Ok(Profile::Native),
            "managed" => Ok(Profile::Managed),
            other => {
                let problem =
                    format!("'{}' is unknown; accepted: \"native\", \"managed\"", other.escape_debug());
                Err(self.broken(&profile.span(), "profile", problem))
            }
        }
    }

    fn mounts(&self, paths: Option<&List>) -> Result<Vec<PathBuf>, LanguageError> {
        let mut mounts = Vec::new();
        for written in paths.into_iter().flat_map(|paths| paths.get_ref()) {
            let path = Path::new(written.get_ref());
            let plain = path.components().skip(1).all(|component| matches!(component, Component::Normal(_)));
            if !path.is_absolute() || !plain || path == Path::new("/") || written.get_ref().contains('\0') {
                let problem = format!(
                    "'{}' cannot be shown; accepted: absolute paths below / without '..', like \"/etc/mono\"",
                    written.get_ref().escape_debug()
                );
                return Err(self.broken(&written.span(), "mounts", problem));
            }
            if let Some(reserved) = RESERVED_MOUNTS.iter().find(|reserved| path.starts_with(reserved)) {
                let problem = format!(
                    "'{}' is in {reserved}, which a box has of its own (for /proc: proc = true)",
                    written.get_ref()
                );
                return Err(self.broken(&written.span(), "mounts", problem));
            }
            mounts.push(path.to_owned());
        }
        Ok(mounts)
    }

    fn env(&self, key: &str, entries: Option<&List>) -> Result<Vec<String>, LanguageError> {
        let mut env: Vec<String> = Vec::new();
        for entry in entries.into_iter().flat_map(|entries| entries.get_ref()) {
            let (name, value) = entry.get_ref().split_once('=').unwrap_or(("", ""));
            let named = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !named || value.contains('\0') {
                let problem =
                    format!("'{}' is no setting; accepted: \"NAME=value\"", entry.get_ref().escape_debug());
                return Err(self.broken(&entry.span(), key, problem));
            }
            if env.iter().any(|other| other.split_once('=').is_some_and(|(other, _)| other == name)) {
                return Err(self.broken(&entry.span(), key, format!("{name} is set twice")));
            }
            env.push(entry.get_ref().clone());
        }
        Ok(env)
    }

    fn prepare(&self, raw: &RawPrepare) -> Result<Prepare, LanguageError> {
        let mut files: Vec<(String, String)> = Vec::new();
        for file in &raw.files {
            let name = self.file_name("prepare.files", &file.name)?;
            if files.iter().any(|(other, _)| *other == name) {
                return Err(self.broken(
                    &file.name.span(),
                    "prepare.files",
                    format!("'{name}' is there twice"),
                ));
            }
            files.push((name, file.text.clone()));
        }
        let place = Use {
            key: "prepare.command",
            accepted: &[Placeholder::Dir],
            demanded: &[Placeholder::Dir],
            reason: "what is prepared is what the command writes there",
        };
        Ok(Prepare { files, command: self.template(&raw.command, &place)? })
    }

    fn unbuffered(&self, raw: &RawUnbuffered, sources: &RawSources) -> Result<Unbuffered, LanguageError> {
        const KEY: &str = "unbuffered.file";
        let env = self.env("env", raw.env.as_ref())?;
        let Some(file) = &raw.file else { return Ok(Unbuffered { env, file: None }) };
        let name = self.file_name(KEY, &file.name)?;
        let ending = Path::new(&name).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if !sources.extensions.get_ref().iter().any(|known| known.get_ref() == ending) {
            let problem = format!("'{name}' is not compiled: it ends in none of the language's extensions");
            return Err(self.broken(&file.name.span(), KEY, problem));
        }
        Ok(Unbuffered { env, file: Some((name, file.text.clone())) })
    }

    fn hello(&self, hello: &Text) -> Result<String, LanguageError> {
        if hello.get_ref().trim().is_empty() {
            let problem = "it is empty; accepted: a program that reads two integers and prints their sum";
            return Err(self.broken(&hello.span(), "hello", problem));
        }
        Ok(hello.get_ref().clone())
    }
}

fn list(placeholders: &[Placeholder], separator: &str) -> String {
    placeholders.iter().map(|placeholder| placeholder.written()).collect::<Vec<_>>().join(separator)
}
