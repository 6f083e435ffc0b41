//! One command in a box: how it ended and what it used.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use gavel::sandbox::{Capture, Command, Exit, Limits, Outcome, Sandbox, Settings, Shape, Stream};

fn sandbox() -> Sandbox {
    let executable = Some(env!("CARGO_BIN_EXE_gavel").into());
    let settings = Settings { executable, ..Settings::default() };
    Sandbox::start(&settings).expect("the host runs boxes")
}

fn run(argv: &[&str]) -> (Outcome, String) {
    let sandbox = sandbox();
    let mut handle = sandbox.open_box(&Shape::default(), Some(0)).expect("a box");
    let argv: Vec<String> = argv.iter().map(|text| (*text).to_owned()).collect();
    let null = File::open("/dev/null").unwrap();
    let mut stdout = Capture::whole(Path::new("/tmp"));
    let mut stderr = Capture::whole(Path::new("/tmp"));
    let limits = Limits { cpu: Some(Duration::from_secs(1)), ..Limits::default() };
    let command = Command {
        argv: &argv,
        env: &[],
        directory: "/w",
        stdin: null.as_fd(),
        stdout: Stream::Capture(&mut stdout),
        stderr: Stream::Capture(&mut stderr),
        limits,
    };
    let outcome = handle.run(command, &[]).expect("a result");
    (outcome, stdout.head(10_000).unwrap() + &stderr.head(10_000).unwrap())
}

#[test]
fn output_and_exit_code_come_back() {
    let (outcome, output) = run(&["sh", "-c", "echo hello; id; ls -la / /w; cat /etc/passwd; exit 7"]);
    println!("{output}\n{outcome:?}");
    assert_eq!(outcome.exit, Exit::Code(7));
    assert!(output.starts_with("hello\n"));
}
