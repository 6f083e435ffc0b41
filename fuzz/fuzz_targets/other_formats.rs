//! The files by which DMOJ's, CMS's, Library Checker's, QDUOJ's and HUSTOJ's packages are known, in small packages of
//! these formats.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use gavel::package::{Library, parse_gen_file};
use gavel::cancel::CancelToken;
use libfuzzer_sys::fuzz_target;

/// The file that is made up, and what stands beside it.
const PACKAGES: [(&str, &[&str]); 6] = [
    ("init.yml", &["1.in", "1.out"]),
    ("task.yaml", &["input/input0.txt", "output/output0.txt", "gen/GEN"]),
    ("gen/GEN", &["task.yaml", "input/input0.txt", "output/output0.txt"]),
    ("info.toml", &["gen/random.cpp", "sol/correct.cpp"]),
    ("problem.json", &["testcase/1.in", "testcase/1.out"]),
    ("problems.xml", &[]),
];

static STASH: LazyLock<(tempfile::TempDir, Library)> = LazyLock::new(|| {
    let cache = tempfile::tempdir().expect("a temporary directory");
    let library = Library::new(cache.path(), CancelToken::new().expect("a cancel token"));
    (cache, library)
});

fuzz_target!(|input: (u8, &str)| {
    let (choice, text) = input;
    let (file, beside) = PACKAGES[usize::from(choice) % PACKAGES.len()];
    if file == "gen/GEN" {
        let _ = parse_gen_file(text);
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    for name in beside {
        write(name, "");
    }
    write(file, text);
    let package = if beside.is_empty() { directory.path().join(file) } else { directory.path().to_owned() };
    if let Err(error) = STASH.1.load(&package) {
        assert!(!error.to_string().contains('\n'), "{error}");
    }
});
