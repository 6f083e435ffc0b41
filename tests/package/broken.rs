//! Every way a package is broken ends in one line that names the file, what is wrong and what to do.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use gavel::cancel::CancelToken;
use gavel::package::{Library, PackageError, discover, load};
use tempfile::TempDir;

fn write(root: &Path, name: &str, text: impl AsRef<[u8]>) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A sound package; each test breaks one thing.
fn sound() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in ["data/secret/1.in", "data/secret/1.ans", "data/sample/1.in", "data/sample/1.ans"] {
        write(directory.path(), name, "1\n");
    }
    write(directory.path(), "problem.yaml", "name: Sums\n");
    write(directory.path(), "submissions/accepted/a.py", "print(1)\n");
    load(directory.path()).unwrap();
    directory
}

/// What loading says, which must be one line that ends in a remedy.
fn refusal(directory: &Path) -> (PackageError, String) {
    let error = load(directory).unwrap_err();
    let text = error.to_string();
    assert!(!text.contains('\n') && text.contains("; ") && text.len() < 1_000, "{text}");
    assert!(text.contains(directory.file_name().unwrap().to_str().unwrap()), "no path in: {text}");
    (error, text)
}

fn assert_refused(directory: &Path, parts: &[&str]) {
    let (error, text) = refusal(directory);
    for part in parts {
        assert!(text.contains(part), "'{part}' in: {text}");
    }
    assert!(!error.is_ours(), "{text}");
}

#[test]
fn one_wrong_file_is_refused_with_its_name_and_key() {
    let huge = "# x\n".repeat(300_000);
    for (file, text, parts) in [
        ("problem.yaml", "limits: {memory: 0}", ["problem.yaml:1", "limits.memory"]),
        ("problem.yaml", "limits: {memory: -64}", ["problem.yaml:1", "limits.memory"]),
        ("problem.yaml", "limits:\n  output: .nan", ["problem.yaml:2", "limits.output"]),
        ("problem.yaml", "limits:\n  code: .inf", ["problem.yaml:2", "limits.code"]),
        ("problem.yaml", "limits: {memory: 1e300}", ["limits.memory: 1e300", "at most"]),
        ("problem.yaml", "limits: {time_limit: 0}", ["problem.yaml:1", "limits.time_limit"]),
        ("problem.yaml", "limits: {time_multiplier: -1}", ["problem.yaml:1", "limits.time_multiplier"]),
        ("problem.yaml", "limits: {memory: 256MiB}", ["problem.yaml:1", "'256MiB'"]),
        ("problem.yaml", "limits: [1, 2]", ["problem.yaml:1", "limits: a list"]),
        ("problem.yaml", "limits: {validation_time: []}", ["problem.yaml:1", "limits.validation_time"]),
        ("problem.yaml", "name: [x]", ["problem.yaml:1", "name"]),
        ("problem.yaml", "name: 'x", ["problem.yaml", "YAML"]),
        ("problem.yaml", "name: x: y", ["problem.yaml:1", "YAML"]),
        ("problem.yaml", "*x", ["problem.yaml", "YAML"]),
        ("problem.yaml", &huge, ["problem.yaml", "larger than 1024 KiB"]),
        (
            "problem.yaml",
            "type: scoring\ngrading: {objective: best}",
            ["problem.yaml:2: grading.objective", "'best' is not an objective"],
        ),
        ("problem.yaml", "type: quiz", ["problem.yaml:1", "'quiz' is not a type"]),
        (
            "problem.yaml",
            "validation: custom",
            ["problem.yaml:1: validation", "a program in output_validators"],
        ),
        (
            "problem.yaml",
            "validation: custom interactive",
            ["problem.yaml:1: validation", "a program in output_validators"],
        ),
        ("problem.yaml", "validation: none", ["problem.yaml:1", "use default or custom"]),
        ("problem.yaml", "validation: custom scores", ["validation", "'scores' is not a part of it"]),
        (
            "data/testdata.yaml",
            "output_validator_flags: {name: mine, flags: x}",
            ["data/testdata.yaml:1: output_validator_flags.name", "'mine', another validator"],
        ),
        (
            "data/testdata.yaml",
            "output_validator_flags: {flag: x}",
            ["output_validator_flags.flag", "not a part of"],
        ),
        (
            "problem.yaml",
            "validator_flags: fast",
            ["problem.yaml:1: validator_flags", "unknown validator flag"],
        ),
        ("problem.yaml", "validator_flags: float_tolerance", ["validator_flags", "needs a tolerance"]),
        ("problem.yaml", "validator_flags: float_tolerance nan", ["validator_flags", "finite tolerance"]),
        ("problem.yaml", "validator_flags: float_tolerance -1", ["validator_flags", "finite tolerance"]),
        ("problem.yaml", "problem_format_version: 2031-01", ["problem_format_version", "not supported"]),
        (
            "data/testdata.yaml",
            "grading: custom",
            ["data/testdata.yaml:1: grading", "a program in graders, and there is none"],
        ),
        ("data/testdata.yaml", "grader_flags: ignore_sample", ["data/testdata.yaml:1", "grader_flags"]),
        ("data/secret/testdata.yaml", "\non_reject: maybe", ["secret/testdata.yaml:2", "on_reject"]),
        ("data/secret/testdata.yaml", "output_validator_flags: wild", ["secret/testdata.yaml:1", "wild"]),
        ("data/secret/testdata.yaml", "5", ["secret/testdata.yaml:1", "a map"]),
        (".timelimit", "soon", [".timelimit:1", "'soon' is not a time limit"]),
        (".timelimit", "-3", [".timelimit:1", "give seconds"]),
        ("domjudge-problem.ini", "timelimit = 0", ["domjudge-problem.ini:1", "timelimit"]),
        ("domjudge-problem.ini", "special_run = x", ["special_run", "not supported"]),
        ("data/secret/2.in", "", ["data/secret/2.in", "add 2.ans"]),
        ("data/secret/2.ans", "", ["data/secret/2.ans", "add 2.in"]),
        ("data/secret/deep/2.in", "", ["secret/deep/2.in", "its answer is missing"]),
        ("data/secret/testdata.yaml/x", "", ["testdata.yaml", "it is a directory"]),
        ("data/secret/2\n.in", "", ["2\\n.in", "rename it"]),
    ] {
        let directory = sound();
        write(directory.path(), file, text);
        assert_refused(directory.path(), &parts);
    }
}

#[test]
fn one_wrong_tag_leaves_the_other_submissions_to_be_judged() {
    let directory = sound();
    write(directory.path(), "submissions/mixed/b.py", "\n# @EXPECTED_RESULTS@: WRONG_ANSER");
    write(directory.path(), "submissions/acepted/c.py", "print(1)");
    let sound = load(directory.path()).unwrap();
    assert!(sound.submissions.iter().all(|submission| submission.name != "mixed/b.py"));
    let said = sound.warnings.join("\n");
    assert!(said.contains("submissions/mixed/b.py:2: not judged"), "{said}");
    assert!(said.contains("'WRONG_ANSER' is not a result: did you mean 'WRONG-ANSWER'?"), "{said}");
    assert!(said.contains("acepted/c.py: not judged") && said.contains("the folder 'accepted'?"), "{said}");
}

#[test]
fn what_is_wrong_with_expectations_is_an_error_for_their_author_alone() {
    let library = Library::new(Path::new("/nonexistent"), CancelToken::new().unwrap());
    for (text, parts) in [
        ("a: {permitted: [XX]}", ["submissions.yaml:1", "a.permitted"]),
        ("'a[': {}", ["submissions.yaml:1", "not a glob"]),
        ("accepted/a.py: {permitted: [WA]}", ["submissions.yaml", "permits nothing"]),
        ("[", ["submissions.yaml:1", "YAML"]),
    ] {
        let directory = sound();
        write(directory.path(), "submissions/submissions.yaml", text);
        let warnings = load(directory.path()).unwrap().warnings.join("\n");
        let checked = library.check(directory.path());
        let errors: Vec<_> = checked.errors.iter().map(ToString::to_string).collect();
        for part in parts {
            assert!(warnings.contains(part), "{part} in: {warnings}");
            assert!(errors.len() == 1 && errors[0].contains(part), "{part} in: {errors:?}");
        }
    }
}

#[test]
fn alias_bombs_and_deep_nesting_end_quickly_in_an_error() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let row = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{row}]\n"));
    }
    for text in [bomb, "[".repeat(100_000), "- ".repeat(100_000), "{a: ".repeat(10_000)] {
        let directory = sound();
        write(directory.path(), "problem.yaml", text);
        assert_refused(directory.path(), &["problem.yaml", "YAML"]);
    }
}

#[test]
fn text_files_must_be_utf8() {
    for file in ["problem.yaml", "data/testdata.yaml", ".timelimit"] {
        let directory = sound();
        write(directory.path(), file, b"name: \xff\xfe");
        assert_refused(directory.path(), &[file, "not UTF-8 (byte 6)", "save it as UTF-8"]);
    }
}

#[test]
fn names_of_tests_must_be_utf8() {
    let directory = sound();
    let secret = directory.path().join("data/secret");
    fs::write(secret.join(OsStr::from_bytes(b"\xff.in")), "").unwrap();
    assert_refused(directory.path(), &["rename it"]);
}

#[test]
fn links_out_of_the_package_are_refused_wherever_judging_would_follow() {
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "1.in", "");
    write(outside.path(), "1.ans", "");
    for (target, link) in [
        (outside.path().join("1.in"), "data/secret/2.in"),
        (outside.path().join("1.ans"), "data/secret/2.ans"),
        (outside.path().to_owned(), "data/secret/group"),
        (outside.path().join("1.in"), "problem.yaml"),
        (outside.path().join("1.in"), "data/secret/testdata.yaml"),
        (outside.path().to_owned(), "data/sample"),
    ] {
        let directory = sound();
        let path = directory.path().join(link);
        let _ = fs::remove_file(&path);
        let _ = fs::remove_dir_all(&path);
        symlink(target, &path).unwrap();
        if link.ends_with(".ans") {
            write(directory.path(), "data/secret/2.in", "");
        } else if link.ends_with("2.in") {
            write(directory.path(), "data/secret/2.ans", "");
        }
        assert_refused(directory.path(), &["a symbolic link out of the package"]);
    }
}

#[test]
fn submissions_that_are_a_link_out_are_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "accepted/b.py", "print(1)\n");
    let directory = sound();
    fs::remove_dir_all(directory.path().join("submissions")).unwrap();
    symlink(outside.path(), directory.path().join("submissions")).unwrap();
    let package = load(directory.path()).unwrap();
    assert!(package.submissions.is_empty());
    let said = package.warnings.join("\n");
    assert!(said.contains("left out: ") && said.contains("a symbolic link out of the package"), "{said}");
}

#[test]
fn a_source_that_is_a_link_out_is_left_out_with_a_warning() {
    let directory = sound();
    symlink("/etc/passwd", directory.path().join("submissions/accepted/b.py")).unwrap();
    let package = load(directory.path()).unwrap();
    assert_eq!(package.submissions.len(), 1);
    assert!(package.warnings[0].contains("submissions/accepted/b.py: not judged"), "{:?}", package.warnings);
}

#[test]
fn broken_and_circular_links_are_refused() {
    for (target, problem) in [
        ("nowhere.in", "leads nowhere"),
        ("2.in", "leads nowhere"),
        ("..", "a folder that holds it"),
        (".", "a folder that holds it"),
    ] {
        let directory = sound();
        symlink(target, directory.path().join("data/secret/2.in")).unwrap();
        write(directory.path(), "data/secret/2.ans", "");
        assert_refused(directory.path(), &["data/secret/2.in", problem]);
    }
    let directory = sound();
    let secret = directory.path().join("data/secret");
    fs::create_dir(secret.join("a")).unwrap();
    fs::create_dir(secret.join("b")).unwrap();
    symlink("../b", secret.join("a/b")).unwrap();
    symlink("../a", secret.join("b/a")).unwrap();
    assert_refused(directory.path(), &["nested more than 32 deep", "circle"]);
}

#[test]
fn fifos_sockets_and_devices_are_refused_without_waiting() {
    for name in ["data/secret/2.in", "data/secret/testdata.yaml", "problem.yaml", ".timelimit"] {
        let directory = sound();
        let path = directory.path().join(name);
        let _ = fs::remove_file(&path);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_refused(directory.path(), &[name, "it is a FIFO"]);
    }
    let directory = sound();
    let _listener = UnixListener::bind(directory.path().join("data/secret/2.in")).unwrap();
    assert_refused(directory.path(), &["data/secret/2.in", "it is a socket"]);
}

#[test]
fn a_test_that_became_a_fifo_does_not_stall_the_digest() {
    let directory = sound();
    let package = load(directory.path()).unwrap();
    let input = directory.path().join("data/secret/1.in");
    fs::remove_file(&input).unwrap();
    assert!(package.digest().unwrap_err().is_ours());
    nix::unistd::mkfifo(&input, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(package.digest().unwrap_err().to_string().contains("not a regular file"));
}

#[test]
fn missing_parts_are_named() {
    let directory = sound();
    fs::remove_dir_all(directory.path().join("data")).unwrap();
    assert_refused(directory.path(), &["data: it is missing", "data/secret"]);
    write(directory.path(), "data", "");
    assert_refused(directory.path(), &["data: it is not a folder"]);

    let directory = sound();
    fs::remove_dir_all(directory.path().join("data/secret")).unwrap();
    fs::remove_dir_all(directory.path().join("data/sample")).unwrap();
    assert_refused(directory.path(), &["no tests"]);

    let directory = sound();
    fs::remove_file(directory.path().join("problem.yaml")).unwrap();
    fs::create_dir(directory.path().join("problem.yaml")).unwrap();
    assert_refused(directory.path(), &["problem.yaml", "it is a directory"]);
}

#[test]
fn what_is_no_package_at_all_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    assert_refused(root, &["there are no tests in it"]);
    write(root, "file/x", "");
    symlink("loop", root.join("loop")).unwrap();
    for (name, part) in [
        ("absent", "nothing there"),
        ("file/x", "not a directory"),
        ("file/x/y", "below a file"),
        ("loop", "itself"),
    ] {
        let text = load(&root.join(name)).unwrap_err().to_string();
        assert!(text.contains(part), "{text}");
        assert!(discover(&root.join(name)).is_err());
    }
    assert!(discover(root).unwrap_err().to_string().contains("no problem package"));
}

#[test]
fn a_broken_file_of_another_format_does_not_make_a_bare_folder() {
    for (file, part) in [("problem.xml", "it is not the XML expected"), ("init.yml", "test_cases")] {
        let directory = tempfile::tempdir().unwrap();
        for name in [file, "1.in", "1.out"] {
            write(directory.path(), name, "");
        }
        assert_refused(directory.path(), &[file, part]);
    }
}

#[test]
fn a_bare_folder_names_the_test_without_its_partner() {
    for (file, part) in [("1.in", "add 1.ans"), ("x/2.ans", "add 2.in")] {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "x/1.in", "");
        write(directory.path(), "x/1.out", "");
        write(directory.path(), file, "");
        assert_refused(directory.path(), &[file, part]);
    }
}

#[test]
fn a_package_of_a_million_tests_is_refused_before_it_fills_the_memory() {
    let directory = sound();
    // Every name counts, also of what is there by another name already: links are quicker made than files.
    for number in 0..1_000 {
        write(directory.path(), &format!("data/secret/a/{number}.txt"), "");
    }
    for number in 0..100 {
        symlink("a", directory.path().join(format!("data/secret/b{number}"))).unwrap();
    }
    assert_refused(directory.path(), &["the package holds more than 100000 files", "split it"]);
}
