//! argv templates: which placeholders there are, and how they are filled.
//!
//! A template is a list of arguments, never a command line: nothing is split or quoted, so no name of a
//! source can become an option or a second argument of anything but itself.

/// Values for the placeholders of a template.
#[derive(Debug, Clone)]
pub struct Placeholders<'a> {
    /// `{sources}`: becomes one argument each.
    pub sources: &'a [String],
    /// `{exe}`.
    pub exe: &'a str,
    /// `{dir}`: `/w/out` when compiling, `/program` when running.
    pub dir: &'a str,
    /// `{source}`: the entry point's path; `{stem}` its file name without the ending.
    pub source: &'a str,
    /// `{memory_mib}`: the package's memory limit.
    pub memory_mib: u64,
}

impl Placeholders<'_> {
    fn value(&self, placeholder: Placeholder) -> String {
        match placeholder {
            Placeholder::Sources => self.sources.join(" "),
            Placeholder::Exe => self.exe.to_owned(),
            Placeholder::Dir => self.dir.to_owned(),
            Placeholder::Source => self.source.to_owned(),
            Placeholder::Stem => stem(self.source).to_owned(),
            Placeholder::MemoryMib => self.memory_mib.to_string(),
        }
    }
}

/// A file name without its directory and its ending; a leading dot is no ending.
fn stem(path: &str) -> &str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

/// What can stand in braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placeholder {
    /// All sources handed to the compiler.
    Sources,
    /// The executable.
    Exe,
    /// The directory of the program.
    Dir,
    /// The entry point.
    Source,
    /// The entry point's name without its ending.
    Stem,
    /// The package's memory limit in MiB.
    MemoryMib,
}

impl Placeholder {
    pub(super) const ALL: [Self; 6] =
        [Self::Sources, Self::Source, Self::Stem, Self::Exe, Self::Dir, Self::MemoryMib];

    /// As it is written.
    pub(super) const fn written(self) -> &'static str {
        match self {
            Self::Sources => "{sources}",
            Self::Source => "{source}",
            Self::Stem => "{stem}",
            Self::Exe => "{exe}",
            Self::Dir => "{dir}",
            Self::MemoryMib => "{memory_mib}",
        }
    }
}

/// A piece of one argument.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Itself; doubled braces are single here.
    Text(&'a str),
    /// Something to fill in.
    Placeholder(Placeholder),
    /// Braces around a name that is none of ours, or a brace without its partner.
    Unknown(&'a str),
}

/// Splits an argument into its pieces.
pub(super) fn pieces(argument: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = argument;
    while !rest.is_empty() {
        let (piece, length) = first_piece(rest);
        pieces.push(piece);
        rest = rest.get(length..).unwrap_or("");
    }
    pieces
}

fn first_piece(text: &str) -> (Piece<'_>, usize) {
    if let Some(brace) = ["{{", "}}"].into_iter().find(|brace| text.starts_with(brace)) {
        return (Piece::Text(&brace[..1]), 2);
    }
    if let Some(placeholder) = Placeholder::ALL.into_iter().find(|known| text.starts_with(known.written())) {
        return (Piece::Placeholder(placeholder), placeholder.written().len());
    }
    if text.starts_with(['{', '}']) {
        let length = text.find('}').map_or(text.len(), |end| end + 1);
        return (Piece::Unknown(&text[..length]), length);
    }
    let length = text.find(['{', '}']).unwrap_or(text.len());
    (Piece::Text(&text[..length]), length)
}

/// Fills a template. In a [`Table`](super::Table) that loaded, nothing unknown is left; anywhere else,
/// what is not a placeholder stays as it is written.
pub fn expand(template: &[String], values: &Placeholders<'_>) -> Vec<String> {
    let mut arguments = Vec::with_capacity(template.len() + values.sources.len());
    for argument in template {
        if argument == Placeholder::Sources.written() {
            arguments.extend_from_slice(values.sources);
            continue;
        }
        arguments.push(
            pieces(argument)
                .into_iter()
                .map(|piece| match piece {
                    Piece::Text(text) | Piece::Unknown(text) => text.to_owned(),
                    Piece::Placeholder(placeholder) => values.value(placeholder),
                })
                .collect(),
        );
    }
    arguments
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fill(template: &[&str], source: &str) -> Vec<String> {
        let sources = ["main.c".to_owned(), "two words.c".to_owned()];
        let template: Vec<String> = template.iter().map(|argument| (*argument).to_owned()).collect();
        let values =
            Placeholders { sources: &sources, exe: "/w/out/main", dir: "/w/out", source, memory_mib: 256 };
        expand(&template, &values)
    }

    #[test]
    fn each_source_becomes_an_argument() {
        assert_eq!(
            fill(&["gcc", "-o", "{exe}", "{sources}", "-lm"], "main.c"),
            ["gcc", "-o", "/w/out/main", "main.c", "two words.c", "-lm"]
        );
    }

    #[test]
    fn placeholders_are_filled_inside_arguments() {
        assert_eq!(
            fill(&["-Xmx{memory_mib}m", "{dir}/{stem}.jar", "-o{exe}", "{source}"], "/w/src/My Main.x.java"),
            ["-Xmx256m", "/w/out/My Main.x.jar", "-o/w/out/main", "/w/src/My Main.x.java"]
        );
    }

    #[test]
    fn doubled_braces_are_literal() {
        assert_eq!(fill(&["{{exe}}", "{{{exe}}}", "}}{{"], "a"), ["{exe}", "{/w/out/main}", "}{"]);
    }

    #[test]
    fn a_value_is_never_filled_again() {
        assert_eq!(fill(&["{source}"], "{exe}.c"), ["{exe}.c"]);
    }

    #[test]
    fn stems_of_unusual_names() {
        for (path, expected) in [
            ("a/b.c", "b"),
            ("b", "b"),
            (".profile", ".profile"),
            ("a.d/b", "b"),
            ("x.tar.gz", "x.tar"),
            ("", ""),
        ] {
            assert_eq!(stem(path), expected, "{path}");
        }
    }

    #[test]
    fn unknown_names_and_lonely_braces_are_told_apart_from_text() {
        assert_eq!(pieces("a{b}c"), [Piece::Text("a"), Piece::Unknown("{b}"), Piece::Text("c")]);
        assert_eq!(pieces("{exe"), [Piece::Unknown("{exe")]);
        assert_eq!(pieces("x}"), [Piece::Text("x"), Piece::Unknown("}")]);
        assert_eq!(pieces("{}"), [Piece::Unknown("{}")]);
    }

    proptest! {
        #[test]
        fn any_argument_is_split_without_loss(argument in "[{}a-zé ]{0,24}") {
            let length: usize = pieces(&argument).iter().map(|piece| match piece {
                Piece::Text(text @ ("{" | "}")) => text.len() * 2,
                Piece::Text(text) | Piece::Unknown(text) => text.len(),
                Piece::Placeholder(placeholder) => placeholder.written().len(),
            }).sum();
            prop_assert_eq!(length, argument.len());
        }

        #[test]
        fn filling_never_panics(argument in "\\PC{0,40}", source in "\\PC{0,40}") {
            let _ = fill(&[&argument], &source);
        }

        #[test]
        fn text_without_braces_is_itself(argument in "[^{}]{0,40}") {
            prop_assert_eq!(fill(&[&argument], "main.c"), [argument]);
        }
    }
}
