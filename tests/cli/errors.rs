//! What bad input gets: one line that says what, where and what to do, exit code 2 or 3, nothing left.

use crate::common::{SUM, Said, Scene, said, text};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

/// Fails unless gavel ended with the code and said the parts on one line, and nothing else anywhere.
fn refused(said: &Said, code: i32, parts: &[&str]) {
    assert_eq!(said.code, code, "{said:?}");
    assert_eq!(said.stdout, "", "{said:?}");
    assert_eq!(said.stderr.trim_end().lines().count(), 1, "{said:?}");
    assert!(said.stderr.starts_with("gavel: "), "{said:?}");
    for part in parts {
        assert!(said.stderr.contains(part), "'{part}' is missing: {said:?}");
    }
}

fn judge(scene: &Scene, source: &str, more: &[&str]) -> Said {
    let package = scene.sum_package(&[(1, 2)]);
    scene.say(&[&["judge", text(&package), source], more].concat())
}

#[test]
fn an_unknown_language() {
    let scene = Scene::new();
    let source = scene.write("program.sh", SUM);
    refused(&judge(&scene, text(&source), &["--language", "klingon"]), 2, &["klingon", "cpp20"]);
    let source = scene.write("program.klingon", SUM);
    refused(&judge(&scene, text(&source), &[]), 2, &["program.klingon", "--language"]);
}

#[test]
fn sources_that_are_no_source_files() {
    let scene = Scene::new();
    refused(&judge(&scene, "missing.c", &[]), 2, &["missing.c", "No such file"]);
    std::fs::create_dir(scene.path("empty")).unwrap();
    refused(&judge(&scene, "empty", &[]), 2, &["empty", "no files"]);
    mkfifo(&scene.path("pipe.c"), Mode::S_IRWXU).unwrap();
    refused(&judge(&scene, "pipe.c", &[]), 2, &["pipe.c", "not a regular file"]);
    refused(&judge(&scene, "/dev/zero", &["--language", "c17"]), 2, &["/dev/zero", "not a regular file"]);
    let huge = std::fs::File::create(scene.path("huge.c")).unwrap();
    huge.set_len(100 << 20).unwrap();
    refused(&judge(&scene, "huge.c", &[]), 2, &["huge.c", "104857600", "at most"]);
}

#[test]
fn a_name_with_a_newline_is_shown_on_one_line() {
    let scene = Scene::new();
    let source = scene.write("a\nb.c", "int main(void) {}\n");
    refused(&judge(&scene, text(&source), &[]), 2, &["a\\nb.c", "rename"]);
}

#[test]
fn a_folder_among_files() {
    let scene = Scene::new();
    let source = scene.write("program.sh", SUM);
    let package = scene.sum_package(&[(1, 2)]);
    let folder = scene.path("folder");
    std::fs::create_dir(&folder).unwrap();
    refused(&scene.say(&["judge", text(&package), text(&source), text(&folder)]), 2, &["folder"]);
}

#[test]
fn limits_that_make_no_sense() {
    let scene = Scene::new();
    let source = scene.write("program.sh", SUM);
    for (flag, value) in [
        ("--cpu", "0s"),
        ("--cpu", "1"),
        ("--cpu", "1parsec"),
        ("--wall", "99999h"),
        ("--memory", "0B"),
        ("--memory", "256"),
        ("--memory", "99999TiB"),
        ("--output", "0B"),
        ("--processes", "0"),
        ("--slots", "0"),
        ("--tests", "[unclosed"),
        ("--tests", "nothing/like/this"),
    ] {
        let said = judge(&scene, text(&source), &[flag, value]);
        assert_eq!(said.code, 2, "{flag} {value}: {said:?}");
        assert!(said.stderr.contains(value), "{flag} {value}: {said:?}");
        assert!(said.stdout.is_empty());
    }
    for value in ["-1s", "-5"] {
        let said = judge(&scene, text(&source), &[&format!("--cpu={value}")]);
        assert_eq!(said.code, 2, "{value}: {said:?}");
    }
}

#[test]
fn packages_that_are_none() {
    let scene = Scene::new();
    let source = scene.write("program.sh", SUM);
    let source = text(&source);
    refused(&scene.say(&["judge", "missing", source]), 2, &["missing"]);
    std::fs::create_dir(scene.path("hollow")).unwrap();
    refused(&scene.say(&["judge", "hollow", source]), 2, &["hollow"]);
    let package = scene.kattis_package("broken");
    scene.write("broken/problem.yaml", "name: [unclosed\n");
    refused(&scene.say(&["judge", text(&package), source]), 2, &["problem.yaml"]);
    let said = scene.say(&["verify", "missing"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("missing"), "{said:?}");
}

#[test]
fn a_broken_language_table() {
    let scene = Scene::new();
    let source = scene.write("program.sh", SUM);
    let table = scene.write("table.toml", "[[language]]\nidd = \"x\"\n");
    refused(&judge(&scene, text(&source), &["--languages", text(&table)]), 2, &["table.toml:", "idd"]);
    refused(&judge(&scene, text(&source), &["--languages", "missing.toml"]), 2, &["missing.toml"]);
}

#[test]
fn a_cache_that_cannot_be() {
    let scene = Scene::new();
    let source = scene.write("program.sh", SUM);
    let file = scene.write("file", "x");
    let said = judge(&scene, text(&source), &["--cache", text(&file)]);
    refused(&said, 3, &["file", "--cache"]);
}

#[test]
fn a_full_disk_is_a_judging_error() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    let source = scene.write("program.c", "int main(void) { return 0; }\n");
    let cache = scene.path("small");
    std::fs::create_dir(&cache).unwrap();
    // A mount namespace of its own: the small disk is gone with the process.
    let script =
        "mount -t tmpfs -o size=64k,mode=700 tmpfs \"$1\" && exec \"$2\" judge \"$3\" \"$4\" --cache \"$1\"";
    let output = std::process::Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh", text(&cache), env!("CARGO_BIN_EXE_gavel")])
        .args([text(&package), text(&source)])
        .output()
        .unwrap();
    let said = said(output);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.stderr.contains("No space left"), "{said:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let scene = Scene::new();
    let output = std::process::Command::new("sh")
        .args(["-c", "\"$1\" completions bash | true", "sh", env!("CARGO_BIN_EXE_gavel")])
        .output()
        .unwrap();
    let said = said(output);
    assert_eq!((said.stderr.as_str(), said.code), ("", 0));
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = scene.gavel(&["completions", "bash"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn nothing_is_left_behind_by_a_refusal() {
    let scene = Scene::new();
    judge(&scene, "missing.c", &[]);
    let left: Vec<_> = std::fs::read_dir(scene.path("")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["sum"]);
}

#[test]
fn a_link_out_of_a_folder_of_sources_is_refused_and_one_within_it_followed() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    scene.write("elsewhere.sh", "echo secret\n");
    let source = scene.write("folder/main.sh", "read a b\necho $((a + b))\n");
    let folder = source.parent().unwrap();
    std::os::unix::fs::symlink("main.sh", folder.join("same.sh")).unwrap();
    let said = scene.say(&["judge", text(&package), text(folder)]);
    assert_eq!(said.code, 0, "{said:?}");
    std::os::unix::fs::symlink("../elsewhere.sh", folder.join("other.sh")).unwrap();
    let said = scene.say(&["judge", text(&package), text(folder)]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("other.sh") && said.stderr.lines().count() == 1, "{said:?}");
}

/// What is wrong with the host is said as 'gavel doctor' says it, and not as the call that failed.
#[test]
fn a_sandbox_that_cannot_start_says_what_is_wrong_with_the_host() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    let source = scene.write("sum.sh", SUM);
    let under = |command: &[&str], arguments: &[&str]| {
        let mut unshare = std::process::Command::new("unshare");
        unshare.args(command).arg(env!("CARGO_BIN_EXE_gavel")).args(arguments);
        said(unshare.env("GAVEL_CACHE", scene.path("other-cache")).output().unwrap())
    };
    let judging = ["judge", text(&package), text(&source)];
    for arguments in [&["run", "--", "true"][..], &judging] {
        let said = under(&["--user", "--map-root-user"], arguments);
        refused(&said, 3, &["'gavel doctor' says: ids: some, in a user namespace: run it outside"]);
    }
    let said = under(&["--user"], &["run", "--", "true"]);
    refused(
        &said,
        3,
        &["'gavel doctor' says: ids: none: a user namespace without mappings: map ids into it"],
    );

    let root = scene.path("root");
    let script = "mkdir -p \"$1/usr\" \"$1/proc\" \"$1/gavel\" && cp -P /lib /lib64 \"$1\" && mount --bind /usr \"$1/usr\" && \
                  mount --bind \"$2\" \"$1/gavel\" && if [ $3 = proc ]; then mount --bind /proc \"$1/proc\"; fi && \
                  exec chroot \"$1\" /gavel/gavel run -- true";
    let directory = std::path::Path::new(env!("CARGO_BIN_EXE_gavel")).parent().unwrap();
    for (proc, words) in [
        ("proc", "'gavel doctor' says: root-directory: changed (chroot): run it outside the chroot"),
        ("none", "'gavel doctor' says: proc: not mounted: mount -t proc proc /proc"),
    ] {
        let output = std::process::Command::new("unshare")
            .args(["--mount", "sh", "-c", script, "sh", text(&root), text(directory), proc])
            .output()
            .unwrap();
        refused(&crate::common::said(output), 3, &[words]);
    }
}

#[test]
fn places_that_cannot_be_used_are_refused_by_name() {
    use std::os::unix::ffi::OsStrExt;
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    let source = scene.write("sum.sh", SUM);
    let strange = scene.path("").join(std::ffi::OsStr::from_bytes(b"b\xffd"));
    std::fs::rename(&package, &strange).unwrap();
    for command in ["judge", "verify", "grade"] {
        let work = match command {
            "judge" => Some(source.clone()),
            "grade" => Some(scene.write("work/a.sh", SUM).parent().unwrap().to_owned()),
            _ => None,
        };
        let mut command = scene.gavel(&[command]);
        command.arg(&strange).args(work);
        refused(&said(command.output().unwrap()), 2, &["the path is not UTF-8", "rename it"]);
    }
    // A home that cannot be written to.
    let mut command = scene.gavel(&["judge", text(&strange.with_file_name("sum")), text(&source)]);
    std::fs::rename(&strange, strange.with_file_name("sum")).unwrap();
    command.env_remove("GAVEL_CACHE").env_remove("XDG_CACHE_HOME").env("HOME", "/proc");
    refused(&said(command.output().unwrap()), 3, &["the cache cannot be used", "/proc/.cache", "--cache"]);
}
