//! A run of a static program that does nothing: in a box with every layer on, beside the same file run bare.
//!
//! Bare is what the standard library does for a command without changes to the child: a vfork-like clone,
//! execve, wait. Both run in this process, one after the other, so the ratio holds whatever the machine.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use gavel::sandbox::{Capture, Command, Exit, Limits, PROGRAM, Sandbox, Settings, Shape, Stream};
use gavel::units::Bytes;

fn no_op(directory: &Path) -> PathBuf {
    let source = directory.join("no_op.c");
    std::fs::write(&source, "int main(void) { return 0; }\n").expect("the source is written");
    let program = directory.join("no_op");
    let status = std::process::Command::new("gcc")
        .args(["-O2", "-static", "-o"])
        .args([&program, &source])
        .status()
        .expect("gcc runs");
    assert!(status.success(), "gcc builds the program");
    program
}

fn spawn(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory");
    let program = no_op(directory.path());
    let mut group = criterion.benchmark_group("static no-op");
    group.bench_function("bare", |bencher| {
        bencher.iter(|| std::process::Command::new(&program).status().expect("it runs"));
    });
    let mut settings =
        Settings { executable: Some(env!("CARGO_BIN_EXE_gavel").into()), ..Settings::default() };
    settings.directories.stores.push(directory.path().to_owned());
    let sandbox = Sandbox::start(&settings).expect("the host runs boxes");
    let mut handle = sandbox.open_box(&Shape::default(), Some(0)).expect("a box");
    handle.attach(PROGRAM, directory.path()).expect("the program is shown");
    let argv = ["/program/no_op".to_owned()];
    let limits = Limits {
        cpu: Some(Duration::from_secs(1)),
        wall: Some(Duration::from_secs(3)),
        memory: Some(Bytes::mib(256)),
        output: Some(Bytes::mib(64)),
        file_size: Some(Bytes::mib(64)),
        processes: Some(64),
        ..Limits::default()
    };
    let mut stdout = Capture::whole(directory.path());
    let mut stderr = Capture::at_most(65_536, directory.path());
    group.bench_function("in a box", |bencher| {
        bencher.iter(|| {
            let null = File::open("/dev/null").expect("the null device opens");
            let command = Command {
                argv: &argv,
                env: &[],
                directory: "/w",
                stdin: null.as_fd(),
                stdout: Stream::Capture(&mut stdout),
                stderr: Stream::Capture(&mut stderr),
                limits: limits.clone(),
            };
            let outcome = handle.run(command, &[]).expect("a result");
            assert_eq!(outcome.exit, Exit::Code(0));
            outcome
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(50).measurement_time(Duration::from_secs(8));
    targets = spawn
}
criterion_main!(benches);
