//! One command in a box: how it ended and what it used.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use gavel::sandbox::{Capture, Command, Exit, Limits, Outcome, Sandbox, Settings, Shape, Stream};

use super::harness::{Bench, each_control, roomy};

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

/// Shells, `timeout` and event loops sleep until a signal tells that a child has ended; they must not sleep to the wall
/// limit.
#[test]
fn programs_learn_of_the_end_of_their_children() {
    let event_loop = "import asyncio
async def main():
    child = await asyncio.create_subprocess_exec('/bin/sleep', '0.1')
    print(await child.wait())
asyncio.run(main())";
    let process = "import subprocess; print(subprocess.Popen(['/bin/sleep', '0.1']).wait())";
    each_control(|control| {
        let mut bench = Bench::new(control);
        let commands: [&[&str]; 5] = [
            &["/bin/sh", "-c", "sleep 0.1 & wait; sleep 0.1 & wait $!"],
            &["/usr/bin/bash", "-c", "set -m; sleep 0.1 & wait %1; sleep 0.1 & sleep 0.1 & wait -n; wait"],
            &["/usr/bin/timeout", "30", "/bin/sleep", "0.1"],
            &["/usr/bin/python3", "-c", process],
            &["/usr/bin/python3", "-c", event_loop],
        ];
        for argv in commands {
            bench.try_command(argv, roomy(), &[]).unwrap().assert_well();
        }
    });
}
