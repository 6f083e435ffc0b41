//! `deploy/symbols.sh`: a program without symbols, and its symbols in a file of their own.

use std::process::Command;

use crate::common::text;
use crate::deployed;

#[test]
fn symbols_are_split_off_and_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("gavel");
    std::fs::write(directory.path().join("main.c"), "int main(void) { return 7; }\n").unwrap();
    let source = directory.path().join("main.c");
    run(Command::new("gcc").args(["-g", "-o", text(&program), text(&source)]));
    let split = directory.path().join("split");
    run(Command::new(deployed("symbols.sh")).args([&program, &split]));

    let installed = split.join("gavel");
    assert_eq!(Command::new(&installed).status().unwrap().code(), Some(7));
    let sections = run(Command::new("objdump").args(["--section-headers", text(&installed)]));
    assert!(!sections.contains(".debug_line") && sections.contains(".gnu_debuglink"), "{sections}");
    // The link is followed to the file beside it.
    let lines =
        run(Command::new("objdump").args(["--dwarf=follow-links", "--dwarf=decodedline", text(&installed)]));
    assert!(lines.contains("main.c"), "{lines}");
    assert_eq!(std::fs::read_dir(&split).unwrap().count(), 2);

    let again = Command::new(deployed("symbols.sh")).args([&installed, &split]).output().unwrap();
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(!again.status.success() && said.contains("has no debug information: build it with"), "{said}");
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
