//! The language table: the built-in one is usable, and each rule of an operator's is enforced with an error
//! that says where, what, and what is accepted.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use gavel::language::{Artifact, Language, Placeholders, Table, expand};
use gavel::sandbox::Profile;
use gavel::units::Bytes;
use proptest::prelude::*;

/// A table of one language, the simplest that is valid.
const SIMPLE: &str = r#"[[language]]
id = "own"
name = "Own"
sources = { default = "main.own", extensions = ["own"] }
compile = ["ownc", "-o", "{exe}", "{sources}"]
run = ["{exe}"]
version = ["ownc", "--version"]
profile = "native"
hello = "read a b; print a + b"
"#;

fn error(text: &str) -> String {
    Table::parse("own.toml", text).expect_err(text).to_string()
}

fn key_of(line: &str) -> &str {
    line.split_once('=').map_or(line, |(key, _)| key).trim()
}

/// [`SIMPLE`] with one line replaced, or added where it has no such key; and that line's number.
fn with(line: &str) -> (String, usize) {
    let key = key_of(line);
    let mut lines: Vec<&str> = SIMPLE.lines().collect();
    let at = lines.iter().position(|old| key_of(old) == key);
    match at {
        Some(at) => lines[at] = line,
        None => lines.push(line),
    }
    (lines.join("\n"), at.unwrap_or(lines.len() - 1) + 1)
}

#[test]
fn every_rule_is_enforced_with_place_key_and_accepted_forms() {
    for (line, key, parts) in [
        (r#"id = """#, "id", &["a-z"][..]),
        (r#"id = "C++ 20""#, "id", &["a-z"]),
        (r#"id = "-own""#, "id", &["letter or digit first"]),
        (r#"name = " ""#, "name", &["empty"]),
        (r#"name = "a\nb""#, "name", &["control characters"]),
        (
            r#"sources = { default = "../main.own", extensions = ["own"] }"#,
            "sources.default",
            &["no file name", "main.c"],
        ),
        (r#"sources = { default = "-o.own", extensions = ["own"] }"#, "sources.default", &["no file name"]),
        (
            r#"sources = { default = "main.x", extensions = ["own"] }"#,
            "sources.default",
            &["ends in none of", "own"],
        ),
        (
            r#"sources = { default = "main.own", extensions = [".own"] }"#,
            "sources.extensions",
            &["without a dot"],
        ),
        (
            r#"sources = { default = "main.own", extensions = [""] }"#,
            "sources.extensions",
            &["without a dot"],
        ),
        (r#"shebangs = ["/bin/own"]"#, "shebangs", &["without its directory"]),
        (r#"shebangs = [""]"#, "shebangs", &["no interpreter"]),
        (r#"line_mark = " ""#, "line_mark", &["it is empty"]),
        (r#"compile = []"#, "compile", &["empty", "a program and its arguments"]),
        (r#"compile = ["", "{exe}", "{sources}"]"#, "compile", &["program's name is empty"]),
        (r#"compile = ["ownc", "{sources}"]"#, "compile", &["{exe} is missing"]),
        (r#"compile = ["ownc", "-o", "{exe}"]"#, "compile", &["{sources} or {source} is missing"]),
        (r#"compile = ["ownc", "-o{exe}", "-i={sources}"]"#, "compile", &["argument of its own"]),
        (
            r#"compile = ["ownc", "{sources}", "{out}"]"#,
            "compile",
            &["'{out}'", "accepted: {sources}, {source}, {stem}, {exe}, {dir}"],
        ),
        (
            r#"compile = ["ownc", "{sources}", "{exe}", "{memory_mib}"]"#,
            "compile",
            &["'{memory_mib}' is no placeholder here"],
        ),
        (r#"compile = ["ownc", "{sources}", "{exe}", "{"]"#, "compile", &["'{'", "{{ and }}"]),
        (r#"compile = ["ownc", "{sources}", "{exe}", "a\u0000b"]"#, "compile", &["NUL"]),
        (r#"compile = "ownc {sources}""#, "compile", &["invalid type: string", "a list"]),
        (r#"compile = ["ownc", 3]"#, "compile", &["invalid type: integer '3'", "text in quotes"]),
        (
            r#"artifact = "binary""#,
            "artifact",
            &["'binary' is unknown", "\"executable\", \"directory\", \"sources\""],
        ),
        (r#"joins = "linked""#, "joins", &["'linked' is unknown", "\"listed\", \"found\", \"never\""]),
        (r#"crash = "panic""#, "crash", &["invalid type: string", "a list"]),
        (r#"crash = [""]"#, "crash", &["it is empty"]),
        (r#"crash = ["a\u0001"]"#, "crash", &["control characters"]),
        (r#"crash_codes = [1, 0]"#, "crash_codes", &["0 is no exit code of a failure", "1 to 255"]),
        (r#"crash_codes = [256]"#, "crash_codes", &["256 is no exit code", "1 to 255"]),
        (r#"run = []"#, "run", &["empty"]),
        (r#"run = ["own"]"#, "run", &["{exe} is missing"]),
        (r#"run = ["{exe}", "{source}"]"#, "run", &["'{source}' is no placeholder here"]),
        (r#"run = ["{exe}", "{sources}"]"#, "run", &["'{sources}' is no placeholder here"]),
        (r#"version = []"#, "version", &["empty"]),
        (r#"version = ["ownc", "{exe}"]"#, "version", &["accepted: none"]),
        (r#"profile = "compile""#, "profile", &["'compile' is unknown", "\"native\", \"managed\""]),
        (r#"profile = true"#, "profile", &["invalid type: boolean", "text in quotes"]),
        (r#"mounts = ["etc/own"]"#, "mounts", &["absolute paths"]),
        (r#"mounts = ["/etc/../root"]"#, "mounts", &["absolute paths"]),
        (r#"mounts = ["/"]"#, "mounts", &["absolute paths"]),
        (r#"mounts = ["/proc/self"]"#, "mounts", &["proc = true"]),
        (r#"mounts = ["/w"]"#, "mounts", &["a box has of its own"]),
        (r#"proc = "yes""#, "proc", &["invalid type", "true or false"]),
        (r#"env = ["A"]"#, "env", &["NAME=value"]),
        (r#"env = ["1A=b"]"#, "env", &["NAME=value"]),
        (r#"env = ["A=b", "A=c"]"#, "env", &["A is set twice"]),
        (r#"limits = { time_factor = 0 }"#, "limits.time_factor", &["0.01 to 100"]),
        (r#"limits = { time_factor = -1.5 }"#, "limits.time_factor", &["0.01 to 100"]),
        (r#"limits = { time_factor = nan }"#, "limits.time_factor", &["0.01 to 100"]),
        (r#"limits = { time_factor = inf }"#, "limits.time_factor", &["0.01 to 100"]),
        (r#"limits = { time_factor = "2" }"#, "limits.time_factor", &["a number like 1.5"]),
        (r#"limits = { time_extra = "1" }"#, "limits.time_extra", &["unit is missing", "'1.5s'"]),
        (r#"limits = { time_extra = "-1s" }"#, "limits.time_extra", &["negative"]),
        (r#"limits = { memory_extra = "-1MiB" }"#, "limits.memory_extra", &["negative"]),
        (r#"limits = { memory_extra = 64 }"#, "limits.memory_extra", &["invalid type: integer '64'"]),
        (r#"limits = { memory_extra = "64mb" }"#, "limits.memory_extra", &["unit is unknown", "256MiB"]),
        (r#"limits = { processes = 0 }"#, "limits.processes", &["1 to 4096"]),
        (r#"limits = { processes = -1 }"#, "limits.processes", &["1 to 4096"]),
        (r#"limits = { processes = 5000000000 }"#, "limits.processes", &["1 to 4096"]),
        (r#"limits = { processes = 1.5 }"#, "limits.processes", &["a whole number"]),
        (
            r#"limits = { cpu = "1s" }"#,
            "limits",
            &["unknown key 'cpu'", "'time_factor', 'time_extra', 'memory_extra', 'processes'"],
        ),
        (r#"compile_limits = { cpu = "0s" }"#, "compile_limits.cpu", &["over zero"]),
        (r#"compile_limits = { wall = "0ms" }"#, "compile_limits.wall", &["over zero"]),
        (r#"compile_limits = { memory = "0MiB" }"#, "compile_limits.memory", &["over zero"]),
        (r#"compile_limits = { output = "0B" }"#, "compile_limits.output", &["over zero"]),
        (r#"compile_limits = { processes = 0 }"#, "compile_limits.processes", &["1 to 4096"]),
        (r#"prepare = { command = ["cp", "a", "b"] }"#, "prepare.command", &["{dir} is missing"]),
        (r#"prepare = { command = ["cp", "{exe}", "{dir}"] }"#, "prepare.command", &["accepted: {dir}"]),
        (r#"prepare = { command = [] }"#, "prepare.command", &["empty"]),
        (
            r#"prepare = { files = [{ name = "/a", text = "" }], command = ["cp", "{dir}"] }"#,
            "prepare.files",
            &["no file name"],
        ),
        (
            r#"prepare = { files = [{ name = "a", text = "" }, { name = "a", text = "" }], command = ["cp", "{dir}"] }"#,
            "prepare.files",
            &["'a' is there twice"],
        ),
        (r#"hello = "\n""#, "hello", &["empty", "two integers"]),
        (
            r#"colour = "red""#,
            "colour",
            &["unknown key 'colour'", "'id', 'name', 'sources', 'shebangs', 'line_mark', 'compile'"],
        ),
    ] {
        let (text, number) = with(line);
        let error = error(&text);
        assert!(error.starts_with(&format!("own.toml:{number}: ")), "{line}\n{error}");
        let id = if line.starts_with("id") { "" } else { "language 'own': " };
        assert!(error.contains(&format!("{id}{key}")), "{line}\n{error}");
        for part in parts {
            assert!(error.contains(part), "{line}\n{error}\nlacks: {part}");
        }
        assert!(!error.contains('\n') && !error.contains("Raw"), "{error}");
    }
}

#[test]
fn every_key_that_must_be_there_is_asked_for() {
    for key in ["id", "name", "sources", "run", "version", "profile", "hello"] {
        let text: String = SIMPLE
            .lines()
            .filter(|line| !line.starts_with(&format!("{key} =")))
            .map(|line| format!("{line}\n"))
            .collect();
        let error = error(&text);
        assert!(
            error.starts_with("own.toml:1: ") && error.contains(&format!("missing key '{key}'")),
            "{error}"
        );
    }
}

#[test]
fn an_artifact_that_nothing_makes_is_refused() {
    let text = SIMPLE
        .replace("compile = [\"ownc\", \"-o\", \"{exe}\", \"{sources}\"]\n", "artifact = \"executable\"\n");
    let error = error(&text);
    assert!(
        error.starts_with("own.toml:5: language 'own': artifact: ") && error.contains("\"sources\""),
        "{error}"
    );
}

#[test]
fn a_directory_that_the_compiler_is_not_told_of_is_refused() {
    let error = error(&with(r#"artifact = "directory""#).0);
    assert!(error.starts_with("own.toml:5: language 'own': compile: {dir} is missing: "), "{error}");
}

#[test]
fn an_id_may_be_there_once() {
    let error = error(&SIMPLE.repeat(2));
    assert!(error.starts_with("own.toml:11: language 'own': id: ") && error.contains("twice"), "{error}");
}

#[test]
fn broken_toml_is_one_line_with_its_place() {
    for (text, line) in [
        ("[[language]]\nid = \"own\nname = 1\n", 2),
        ("[[language]\n", 1),
        ("a = 1\na = 2\n", 2),
        ("language = 3", 1),
    ] {
        let error = error(text);
        assert!(
            error.starts_with(&format!("own.toml:{line}: ")) && !error.contains('\n'),
            "{text:?}: {error}"
        );
    }
}

#[test]
fn a_table_without_languages_is_refused() {
    assert_eq!(
        error(""),
        "own.toml: it has no language; add a table [[language]], or extends = \"built-in\""
    );
}

#[test]
fn what_is_left_out_has_a_default() {
    let table = Table::parse("own.toml", SIMPLE).unwrap();
    let own = table.get("own").unwrap();
    assert_eq!(own.artifact, Artifact::Executable);
    assert_eq!(own.profile, Profile::Native);
    assert_eq!((own.limits.time_factor, own.limits.memory_extra, own.limits.processes), (1.0, Bytes(0), 1));
    assert!(!own.proc && own.mounts.is_empty() && own.env.is_empty() && own.prepare.is_none());
    assert!(own.compile_limits.memory > Bytes(0));
}

#[test]
fn an_operators_file_replaces_or_extends_the_built_in_table() {
    let replaced = Table::parse("own.toml", SIMPLE).unwrap();
    assert_eq!(replaced.languages.len(), 1);

    let own = SIMPLE.replace("\"own\"", "\"cpp20\"").replace("main.own", "main.cpp20");
    let extended = Table::parse("own.toml", &format!("extends = \"built-in\"\n{own}")).unwrap();
    let built_in = Table::built_in().unwrap();
    assert_eq!(extended.languages.len(), built_in.languages.len());
    assert_eq!(extended.get("cpp20").unwrap().name, "Own");
    assert_eq!(extended.get("python3"), built_in.get("python3"));
    assert_eq!(extended.languages[0].id, "cpp20", "an operator's endings win");

    let error = error(&format!("extends = \"mine\"\n{SIMPLE}"));
    assert!(error.starts_with("own.toml:1: extends: ") && error.contains("\"built-in\""), "{error}");
}

#[test]
fn files_that_are_no_table_are_refused_in_a_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("latin1.toml"), b"id = \"\xe9\"").unwrap();
    fs::write(path("huge.toml"), vec![b'#'; 5 << 20]).unwrap();
    nix::unistd::mkfifo(&path("fifo.toml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (path, part) in [
        (path("missing.toml"), "No such file"),
        (path("latin1.toml"), "not UTF-8"),
        (path("huge.toml"), "4 MiB"),
        (path("fifo.toml"), "not a regular file"),
        (directory.path().to_owned(), "not a regular file"),
    ] {
        let error = Table::load(&path).unwrap_err().to_string();
        assert!(
            error.starts_with(path.to_str().unwrap()) && error.contains(part) && !error.contains('\n'),
            "{error}"
        );
    }
    fs::write(path("good.toml"), SIMPLE).unwrap();
    assert_eq!(Table::load(&path("good.toml")).unwrap().languages.len(), 1);
}

#[test]
fn the_built_in_table_has_the_promised_languages() {
    let table = Table::built_in().unwrap();
    for id in [
        "c17",
        "cpp11",
        "cpp14",
        "cpp17",
        "cpp20",
        "cpp23",
        "rust",
        "go",
        "java17",
        "python3",
        "pypy3",
        "javascript",
        "bash",
        "script",
        "csharp",
        "haskell",
        "ocaml",
        "pascal",
        "ruby",
        "php",
        "perl",
        "lua",
        "d",
        "fortran",
        "ada",
    ] {
        assert!(table.get(id).is_some(), "{id}");
    }
    let names: HashSet<&str> = table.languages.iter().map(|language| language.name.as_str()).collect();
    assert_eq!(names.len(), table.languages.len(), "names tell languages apart");
    assert!(table.get("cobol2026").is_none());
}

#[test]
fn every_built_in_template_leaves_nothing_to_fill() {
    fn templates(language: &Language) -> Vec<&Vec<String>> {
        let prepare = language.prepare.as_ref().map(|prepare| &prepare.command);
        language.compile.iter().chain([&language.run, &language.version]).chain(prepare).collect()
    }
    let table = Table::built_in().unwrap();
    for language in &table.languages {
        let sources = [language.default_source.clone(), "other".to_owned()];
        let values = Placeholders {
            sources: &sources,
            exe: "/w/out/main",
            dir: "/w/out",
            source: &language.default_source,
            memory_mib: 256,
        };
        for template in templates(language) {
            let argv = expand(template, &values);
            assert!(!argv.is_empty() && argv.iter().all(|argument| !argument.is_empty()), "{argv:?}");
            for placeholder in ["{sources}", "{source}", "{stem}", "{exe}", "{dir}", "{memory_mib}"] {
                assert!(argv.iter().all(|argument| !argument.contains(placeholder)), "{argv:?}");
            }
        }
    }
}

#[test]
fn every_built_in_default_source_is_guessed_back_to_its_ending() {
    let table = Table::built_in().unwrap();
    for language in table.languages.iter().filter(|language| !language.extensions.is_empty()) {
        let guessed = table.guess(&[Path::new(&language.default_source).to_owned()]).unwrap();
        assert!(
            guessed.extensions.iter().any(|ending| language.extensions.contains(ending)),
            "{}",
            language.id
        );
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        let _ = Table::parse("own.toml", &text);
    }

    #[test]
    fn no_value_of_a_key_makes_the_reader_panic(
        key in prop::sample::select(vec!["id", "sources", "compile", "run", "limits", "mounts", "env", "prepare", "hello"]),
        value in "[\\[\\]{}\"'=,.a-z0-9é \\\\-]{0,30}",
    ) {
        let error = Table::parse("own.toml", &with(&format!("{key} = {value}")).0);
        if let Err(error) = error {
            prop_assert!(!error.to_string().contains('\n'));
        }
    }

    #[test]
    fn a_damaged_table_is_refused_or_read_but_never_a_panic(at in 0usize..SIMPLE.len(), byte in 0u8..128) {
        let mut text = SIMPLE.to_owned().into_bytes();
        text[at] = byte;
        let _ = Table::parse("own.toml", std::str::from_utf8(&text).unwrap());
    }
}
