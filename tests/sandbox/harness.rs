//! A box with the misbehaving program in it, and what came of running it.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use gavel::cancel::CancelToken;
use gavel::sandbox::{
    BoxHandle, Capture, Command, Exit, Limits, Outcome, PROGRAM, ResourceControl, Sandbox, SandboxError,
    Settings, Shape, Stopped, Stream,
};
use gavel::units::Bytes;

/// Names another gavel executable than the one cargo built beside this test.
pub(crate) const EXECUTABLE: &str = "GAVEL_TEST_EXECUTABLE";

/// Names a directory with a program that was compiled already.
pub(crate) const PROGRAMS: &str = "GAVEL_TEST_PROGRAMS";

/// How a sandbox is started here.
pub(crate) fn settings(control: Option<ResourceControl>) -> Settings {
    let executable = std::env::var_os(EXECUTABLE).unwrap_or_else(|| env!("CARGO_BIN_EXE_gavel").into());
    let mut settings =
        Settings { executable: Some(executable.into()), resource_control: control, ..Settings::default() };
    settings.directories.stores.extend([programs().to_owned(), std::env::temp_dir()]);
    settings
}

/// Every resource control this host has for this user, `None` being one of them.
pub(crate) fn controls() -> Vec<ResourceControl> {
    use ResourceControl::{CgroupHybrid, CgroupV1, CgroupV2, None};
    let available = |control: &ResourceControl| Sandbox::missing_for(*control).unwrap().is_none();
    [CgroupV2, CgroupHybrid, CgroupV1, None].into_iter().filter(available).collect()
}

/// Runs a scenario under each of them.
pub(crate) fn each_control(scenario: impl Fn(ResourceControl)) {
    for control in controls() {
        // Shown only when the scenario fails.
        println!("under {}", control.id());
        scenario(control);
    }
}

/// The directory with the compiled `testdata/hostile/misbehave.c`, made once per test binary and removed at
/// its end.
pub(crate) fn programs() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        if let Some(directory) = std::env::var_os(PROGRAMS) {
            return directory.into();
        }
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o755)).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/hostile/misbehave.c");
        // Renamed into place: other test processes may be running the old one.
        let fresh = directory.join(format!("misbehave.{}", std::process::id()));
        let status = std::process::Command::new("gcc")
            .args(["-O2", "-static", "-pthread", "-w", "-o"])
            .args([&fresh, &source])
            .status()
            .expect("gcc is needed");
        assert!(status.success(), "misbehave.c does not compile");
        std::fs::rename(&fresh, directory.join("misbehave")).unwrap();
        directory
    })
}

/// Limits that only a misbehaving program reaches.
pub(crate) fn roomy() -> Limits {
    Limits {
        cpu: Some(Duration::from_secs(20)),
        wall: Some(Duration::from_secs(60)),
        memory: Some(Bytes::mib(256)),
        output: Some(Bytes::mib(16)),
        file_size: Some(Bytes::mib(512)),
        processes: Some(64),
        open_files: 256,
    }
}

/// A box of a sandbox of its own.
pub(crate) struct Bench {
    pub(crate) handle: BoxHandle,
    pub(crate) sandbox: Sandbox,
    pub(crate) control: ResourceControl,
    pub(crate) environment: Vec<String>,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bench {
    pub(crate) fn new(control: ResourceControl) -> Self {
        Self::shaped(control, &Shape::default())
    }

    pub(crate) fn shaped(control: ResourceControl, shape: &Shape) -> Self {
        let sandbox = Sandbox::start(&settings(Some(control))).expect("the host runs boxes");
        let mut handle = sandbox.open_box(shape, Some(first_core())).expect("a box");
        handle.attach(PROGRAM, programs()).expect("the program is shown");
        Self { handle, sandbox, control, environment: Vec::new() }
    }

    /// Runs a variant of the misbehaving program with roomy limits.
    pub(crate) fn run(&mut self, arguments: &[&str]) -> Ran {
        self.run_within(arguments, roomy())
    }

    /// Runs a variant of the misbehaving program.
    pub(crate) fn run_within(&mut self, arguments: &[&str], limits: Limits) -> Ran {
        let argv: Vec<&str> =
            std::iter::once("/program/misbehave").chain(arguments.iter().copied()).collect();
        self.try_command(&argv, limits, &[]).expect("a result")
    }

    /// Runs any command.
    pub(crate) fn try_command(
        &mut self,
        argv: &[&str],
        limits: Limits,
        cancel: &[&CancelToken],
    ) -> Result<Ran, SandboxError> {
        let argv: Vec<String> = argv.iter().map(|text| (*text).to_owned()).collect();
        let null = File::open("/dev/null").unwrap();
        let mut stdout = Capture::whole(&std::env::temp_dir());
        let mut stderr = Capture::at_most(65_536, &std::env::temp_dir());
        let command = Command {
            argv: &argv,
            env: &self.environment,
            directory: "/w",
            stdin: null.as_fd(),
            stdout: Stream::Capture(&mut stdout),
            stderr: Stream::Capture(&mut stderr),
            limits,
        };
        let outcome = self.handle.run(command, cancel)?;
        let (stdout, stderr) = (stdout.head(1 << 20).unwrap(), stderr.head(1 << 20).unwrap());
        Ok(Ran { outcome, stdout, stderr })
    }

    /// The next run is an ordinary one: nothing of what ran before shows in its facts or its surroundings.
    pub(crate) fn assert_as_new(&mut self) {
        let ran = self.run(&["look-for-traces"]);
        assert_eq!(ran.outcome.exit, Exit::Code(0), "{ran:?}");
        assert_eq!(ran.outcome.stopped, [], "{ran:?}");
        assert!(ran.outcome.cpu < Duration::from_millis(20), "{ran:?}");
        assert!(ran.outcome.memory < idle_memory(self.control), "{ran:?}");
        let facts = ran.facts();
        assert_eq!((facts["entries"], facts["file"], facts["umask"]), (0, 0, 0o022), "{ran:?}");
        assert_eq!(facts["mode"], 0o1777, "{ran:?}");
    }
}

/// More than a program that touches nothing is ever charged for.
///
/// Without cgroups a program's peak starts from that of box init, whose memory it shares until it is exec'ed
/// (`ru_maxrss` survives execve(2)); a sample may meet it in that moment too. Box init is gavel itself, and an
/// unoptimised build of it grows with every feature: 12.6 MB now.
pub(crate) fn idle_memory(control: ResourceControl) -> Bytes {
    if control == ResourceControl::None { Bytes::mib(24) } else { Bytes::mib(2) }
}

impl Ran {
    /// The lines `name value` the program printed.
    pub(crate) fn facts(&self) -> HashMap<&str, i64> {
        self.stdout
            .lines()
            .filter_map(|line| {
                let (name, value) = line.rsplit_once(' ')?;
                Some((name, value.parse().ok()?))
            })
            .collect()
    }

    /// Exited by itself with 0, within all limits.
    #[track_caller]
    pub(crate) fn assert_well(&self) {
        assert_eq!(
            (self.outcome.exit, self.outcome.stopped.as_slice()),
            (Exit::Code(0), [].as_slice()),
            "{self:?}"
        );
    }

    /// Was stopped for this first.
    #[track_caller]
    pub(crate) fn assert_stopped_for(&self, reason: Stopped) {
        let shortened = format!("{:?}, output {} bytes", self.outcome, self.stdout.len());
        assert_eq!(self.outcome.stopped.first(), Some(&reason), "{shortened}");
    }
}

/// The first core this process may use.
pub(crate) fn first_core() -> usize {
    let allowed = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0)).unwrap();
    (0..nix::sched::CpuSet::count()).find(|core| allowed.is_set(*core).unwrap()).unwrap()
}
