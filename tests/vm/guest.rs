//! The guest's side: examines gavel in the situation it finds itself in, and reports a line for each check.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::rc::Rc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use gavel::cancel::CancelToken;
use gavel::sandbox::{
    BoxHandle, Capture, Command, Exit, Limits, Outcome, PACKAGE, PROGRAM, ResourceControl, Sandbox,
    SandboxError, Settings, Shape, Stopped, Stream,
};
use gavel::units::Bytes;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Where the second disk is mounted.
const PAYLOAD: &str = "/payload";

/// A check with its name in the report.
pub(crate) type Check = (&'static str, fn(&Guest));

/// What is examined: everything where gavel is at home, and in the other situations what they may change.
pub(crate) fn checks(situation: &str, control: ResourceControl) -> Vec<Check> {
    if situation == "the_unit_of_deploy" {
        return crate::unit::checks();
    }
    let everywhere: &[Check] = &[
        ("resource_control_is_named", Guest::resource_control_is_named),
        ("killed_worker_leaves_nothing", Guest::killed_worker_leaves_nothing),
        ("children_are_charged_for_cpu", Guest::children_are_charged_for_cpu),
        ("memory_peak_is_right", Guest::memory_peak_is_right),
        ("memory_limit_ends_a_glutton", Guest::memory_limit_ends_a_glutton),
        ("processes_are_bounded", Guest::processes_are_bounded),
    ];
    let where_groups_are: &[Check] = &[
        ("groups_are_below_the_delegated_one", Guest::groups_are_below_the_delegated_one),
        ("killed_keeper_is_cleared_after", Guest::killed_keeper_is_cleared_after),
        ("memory_limit_covers_a_family", Guest::memory_limit_covers_a_family),
        ("children_nobody_waits_for_are_charged", Guest::children_nobody_waits_for_are_charged),
        ("memory_limit_is_the_same_after_others", Guest::memory_limit_is_the_same_after_others),
        ("memory_peak_is_shown_whatever_is_read", Guest::memory_peak_is_shown_whatever_is_read),
    ];
    let at_home: &[Check] = &[
        ("cpu_limit_covers_children", Guest::cpu_limit_covers_children),
        ("wall_limit_ends_a_sleeper", Guest::wall_limit_ends_a_sleeper),
        ("memory_of_a_family_is_summed", Guest::memory_of_a_family_is_summed),
        ("fork_bomb_is_survived", Guest::fork_bomb_is_survived),
        ("hundred_runs_are_alike", Guest::hundred_runs_are_alike),
        ("two_keepers_live_side_by_side", Guest::two_keepers_live_side_by_side),
        ("package_is_verified", Guest::package_is_verified),
    ];
    let mut checks = everywhere.to_vec();
    if control == ResourceControl::CgroupV2 {
        checks.extend(where_groups_are);
    }
    if situation.ends_with("delegated_unit") {
        checks.extend(at_home);
    }
    match situation {
        "root_without_cgroups" => checks.push(("no_group_is_made", Guest::no_group_is_made)),
        "a_user_without_delegation" => {
            checks.push(("cgroups_are_refused_with_a_remedy", Guest::cgroups_are_refused_with_a_remedy));
        }
        _ => {}
    }
    checks.push(("nothing_is_left", Guest::nothing_is_left));
    checks
}

/// The situation, as the examination sees it.
pub(crate) struct Guest {
    name: String,
    expected: ResourceControl,
    /// The group below which gavel is to make its own.
    base: PathBuf,
    /// One for the checks that need no keeper of their own.
    sandbox: RefCell<Option<Rc<Sandbox>>>,
}

impl Guest {
    /// The situation this process is in; `None` on the host.
    pub(crate) fn here(expected: ResourceControl) -> Option<Self> {
        let name = env::var("GAVEL_VM_SITUATION").ok()?;
        let base = env::var_os("GAVEL_VM_BASE").map(PathBuf::from).unwrap_or_default();
        Some(Self { name, expected, base, sandbox: RefCell::default() })
    }

    /// Goes through all checks, whatever becomes of each.
    pub(crate) fn examine(&self) {
        for (name, check) in checks(&self.name, self.expected) {
            let started = Instant::now();
            match catch_unwind(AssertUnwindSafe(|| check(self))) {
                Ok(()) => println!("vm: {} {name} ok", self.name),
                Err(panic) => {
                    let text = panic.downcast_ref::<String>().map(String::as_str);
                    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
                    println!("vm: {} {name} FAILED: {}", self.name, text.replace('\n', " | "));
                }
            }
            println!("vm: {} {name} took {:.1} s", self.name, started.elapsed().as_secs_f64());
        }
    }

    /// The sandbox of most checks.
    fn sandbox(&self) -> Rc<Sandbox> {
        Rc::clone(self.sandbox.borrow_mut().get_or_insert_with(|| Rc::new(self.new_sandbox())))
    }

    fn new_sandbox(&self) -> Sandbox {
        self.start(None).unwrap_or_else(|error| panic!("no sandbox: {error}"))
    }

    /// Ends what the checks before have started, so that this one sees what it causes itself.
    fn begin_alone(&self) {
        self.sandbox.take();
        assert_eq!((processes(), self.groups()), (Vec::new(), Vec::new()), "left from before");
    }

    fn start(&self, demanded: Option<ResourceControl>) -> Result<Sandbox, SandboxError> {
        let asked = (self.name == "root_without_cgroups").then_some(ResourceControl::None);
        let mut settings = Settings {
            executable: Some(payload("gavel")),
            resource_control: demanded.or(asked),
            ..Settings::default()
        };
        settings.directories.stores.extend([payload("programs"), PathBuf::from("/var/tmp")]);
        Sandbox::start(&settings)
    }

    /// `gavel` as it is to be started here.
    fn gavel(&self) -> Process {
        let mut gavel = Process::new(payload("gavel"));
        gavel.args(["--cache", &format!("/tmp/cache-{}", self.name)]);
        if self.name == "root_without_cgroups" {
            gavel.args(["--cgroups", "none"]);
        }
        gavel.stdin(Stdio::null());
        gavel
    }

    fn resource_control_is_named(&self) {
        assert_eq!(self.sandbox().resource_control(), self.expected);
        let output = self.gavel().args(["run", "--report", "json", "--", "true"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(&format!("\"sandbox\":\"{}\"", self.expected.id())), "{said}");
    }

    fn children_are_charged_for_cpu(&self) {
        let sandbox = self.sandbox();
        let (outcome, output) = run(&mut open(&sandbox), "burn 300 2", Limits::default());
        let own = Duration::from_micros(output.trim().parse().expect("what the program read itself"));
        assert!(own >= Duration::from_millis(600), "{own:?}");
        // The rest is its start and its end, which it cannot see.
        let most = own + Duration::from_millis(60);
        assert!(
            outcome.cpu + Duration::from_millis(2) >= own && outcome.cpu <= most,
            "{outcome:?}, itself {own:?}"
        );
    }

    fn cpu_limit_covers_children(&self) {
        let sandbox = self.sandbox();
        let limits = Limits { cpu: Some(Duration::from_millis(500)), ..Limits::default() };
        let (outcome, _) = run(&mut open(&sandbox), "spin", limits);
        assert_eq!(outcome.stopped, [Stopped::Cpu], "{outcome:?}");
        assert_eq!(outcome.exit, Exit::Signal(libc::SIGKILL));
        assert!(outcome.cpu > Duration::from_millis(500), "{outcome:?}");
    }

    fn wall_limit_ends_a_sleeper(&self) {
        let sandbox = self.sandbox();
        let limits = Limits { wall: Some(Duration::from_millis(300)), ..Limits::default() };
        let mut handle = open(&sandbox);
        let (outcome, _) = run_words(&mut handle, &["sleep", "1000"], limits.clone(), &[]);
        assert_eq!(outcome.stopped, [Stopped::Wall], "{outcome:?}");
        // Told to stop before it is born.
        let token = CancelToken::new().unwrap();
        token.cancel();
        let (outcome, _) = run_words(&mut handle, &["sleep", "1000"], limits, &[&token]);
        assert_eq!(outcome.stopped, [Stopped::Cancelled], "{outcome:?}");
    }

    fn memory_peak_is_right(&self) {
        let sandbox = self.sandbox();
        let mut handle = open(&sandbox);
        for mebibytes in [64, 1, 32] {
            let (outcome, _) = run(&mut handle, &format!("memory {mebibytes}"), Limits::default());
            self.assert_close(outcome.memory, mebibytes);
        }
    }

    fn memory_limit_ends_a_glutton(&self) {
        let sandbox = self.sandbox();
        let mut handle = open(&sandbox);
        let limits = Limits { memory: Some(Bytes::mib(64)), ..Limits::default() };
        let (outcome, _) = run(&mut handle, "memory 60", limits.clone());
        assert_eq!((outcome.exit, outcome.stopped.as_slice()), (Exit::Code(0), [].as_slice()));
        let (outcome, _) = run(&mut handle, "memory 100", limits.clone());
        assert_eq!(outcome.stopped, [Stopped::Memory], "{outcome:?}");
        if self.expected == ResourceControl::CgroupV2 {
            assert_eq!(outcome.exit, Exit::Signal(libc::SIGKILL));
            assert!(outcome.memory <= Bytes::mib(64), "{outcome:?}");
        }
        let (outcome, _) = run(&mut handle, "memory 1", limits);
        assert_eq!((outcome.exit, outcome.stopped.as_slice()), (Exit::Code(0), [].as_slice()));
        self.assert_close(outcome.memory, 1);
    }

    fn memory_of_a_family_is_summed(&self) {
        let sandbox = self.sandbox();
        let (outcome, _) = run(&mut open(&sandbox), "family 16 4", Limits::default());
        self.assert_close(outcome.memory, 64);
    }

    fn memory_limit_covers_a_family(&self) {
        let sandbox = self.sandbox();
        let limits =
            Limits { memory: Some(Bytes::mib(48)), wall: Some(Duration::from_secs(20)), ..Limits::default() };
        let (outcome, _) = run(&mut open(&sandbox), "family 16 4", limits);
        // The group is killed whole: the parent would otherwise wait for a child that is no more.
        assert_eq!(outcome.stopped, [Stopped::Memory], "{outcome:?}");
        assert_eq!(outcome.exit, Exit::Signal(libc::SIGKILL));
    }

    /// What earlier runs left in the kernel is neither a gift nor a loss.
    fn memory_limit_is_the_same_after_others(&self) {
        let sandbox = self.sandbox();
        let mut handle = open(&sandbox);
        let limits = Limits { memory: Some(Bytes::mib(64)), ..Limits::default() };
        let (outcome, _) = run(&mut handle, "curious 100000", limits.clone());
        assert_eq!((outcome.exit, outcome.stopped.as_slice()), (Exit::Code(0), [].as_slice()));
        let (outcome, _) = run(&mut handle, "memory 70", limits.clone());
        assert_eq!(outcome.stopped, [Stopped::Memory], "{outcome:?}");
        run(&mut handle, "curious 100000", limits.clone());
        let (outcome, _) = run(&mut handle, "memory 60", limits);
        assert_eq!((outcome.exit, outcome.stopped.as_slice()), (Exit::Code(0), [].as_slice()));
        self.assert_close(outcome.memory, 60);
    }

    /// Page cache that a program fills takes nothing off what it had allocated.
    fn memory_peak_is_shown_whatever_is_read(&self) {
        let directory = tempfile::Builder::new()
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir_in("/var/tmp")
            .unwrap();
        let path = directory.path().join("large");
        fs::write(&path, vec![0x5a; 48 << 20]).unwrap();
        let file = File::open(&path).unwrap();
        file.sync_all().unwrap();
        let sandbox = self.sandbox();
        let mut handle = open(&sandbox);
        handle.attach(PACKAGE, directory.path()).unwrap();
        for _ in 0..2 {
            use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
            posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).unwrap();
            let (outcome, _) = run(&mut handle, "hide 32 /package/large", Limits::default());
            assert_eq!(outcome.exit, Exit::Code(0), "{outcome:?}");
            self.assert_close(outcome.memory, 32);
            assert!(outcome.memory_bound >= Some(outcome.memory), "{outcome:?}");
        }
    }

    /// A process that ignores SIGCHLD makes the kernel forget what its children used.
    fn children_nobody_waits_for_are_charged(&self) {
        let sandbox = self.sandbox();
        let (outcome, _) = run(&mut open(&sandbox), "quick 6 40", Limits::default());
        assert_eq!(outcome.exit, Exit::Code(0), "{outcome:?}");
        assert!(outcome.cpu >= Duration::from_millis(240), "{outcome:?}");
    }

    fn processes_are_bounded(&self) {
        let sandbox = self.sandbox();
        let mut handle = open(&sandbox);
        for processes in [16, 3] {
            let limits = Limits { processes: Some(processes), ..Limits::default() };
            let (outcome, output) = run(&mut handle, "bomb", limits);
            assert_eq!(outcome.exit, Exit::Code(0), "{outcome:?}");
            let born: u32 = output.trim().parse().expect("how many children it got");
            // Where the uid's processes are counted, box init may be one of them.
            let least =
                if self.expected == ResourceControl::CgroupV2 { processes - 1 } else { processes - 2 };
            assert!((least..processes).contains(&born), "{born} children of {processes} processes");
        }
    }

    fn fork_bomb_is_survived(&self) {
        let sandbox = self.sandbox();
        let mut handle = open(&sandbox);
        let limits = Limits {
            cpu: Some(Duration::from_millis(500)),
            wall: Some(Duration::from_secs(20)),
            processes: Some(32),
            ..Limits::default()
        };
        let (outcome, _) = run(&mut handle, "endless-bomb", limits);
        assert_eq!(outcome.stopped, [Stopped::Cpu], "{outcome:?}");
        let (outcome, _) = run(&mut handle, "memory 4", Limits::default());
        assert_eq!(outcome.exit, Exit::Code(0), "{outcome:?}");
        self.assert_close(outcome.memory, 4);
    }

    fn hundred_runs_are_alike(&self) {
        let sandbox = self.sandbox();
        let mut handle = open(&sandbox);
        let limits = Limits { memory: Some(Bytes::mib(32)), processes: Some(4), ..Limits::default() };
        let peaks: BTreeSet<u64> = (0..100)
            .map(|_| {
                let (outcome, _) = run(&mut handle, "memory 2", limits.clone());
                assert_eq!((outcome.exit, outcome.stopped.as_slice()), (Exit::Code(0), [].as_slice()));
                outcome.memory.as_kib()
            })
            .collect();
        let (least, most) = (peaks.first().unwrap(), peaks.last().unwrap());
        assert!(most - least <= 1024, "peaks between {least} and {most} KiB");
    }

    fn package_is_verified(&self) {
        let output = self.gavel().args(["verify", &format!("{PAYLOAD}/package")]).output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        let package = format!("{PAYLOAD}/package");
        let source = format!("{package}/submissions/accepted/sum.sh");
        let output = self.gavel().args(["judge", "--format", "json", &package, &source]).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
        assert_eq!(report["verdict"], "AC", "{report}");
        assert_eq!(report["provenance"]["sandbox"], self.expected.id(), "{report}");
    }

    fn killed_worker_leaves_nothing(&self) {
        self.begin_alone();
        let mut worker = self.busy_worker();
        worker.kill().unwrap();
        worker.wait().unwrap();
        until("nothing of a killed worker is there", || processes().is_empty() && self.groups().is_empty());
    }

    fn killed_keeper_is_cleared_after(&self) {
        self.begin_alone();
        let mut worker = self.busy_worker();
        // Stopped first, so that it cannot see its keeper die and clean up.
        kill(Pid::from_raw(worker.id().cast_signed()), Signal::SIGSTOP).unwrap();
        for (pid, name) in processes() {
            if name == "gavel-keeper" {
                kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
            }
        }
        worker.kill().unwrap();
        worker.wait().unwrap();
        until("no process of a killed keeper is there", || processes().is_empty());
        drop(open(&self.new_sandbox()));
        assert_eq!(self.groups(), Vec::<PathBuf>::new());
    }

    /// A gavel in whose box something runs.
    fn busy_worker(&self) -> Child {
        let mut gavel = self.gavel();
        let worker = gavel.args(["run", "--", "sleep", "1000"]).stderr(Stdio::null()).spawn().unwrap();
        until("a program runs in a box", || processes().iter().any(|(_, name)| name == "sleep"));
        worker
    }

    fn groups_are_below_the_delegated_one(&self) {
        // Again and again in one place: what the first made way for must not mislead the second.
        self.begin_alone();
        for _ in 0..2 {
            let sandbox = self.new_sandbox();
            let handle = open(&sandbox);
            assert_eq!(self.groups(), [self.base.join("gavel")]);
            drop(handle);
        }
        assert_eq!(self.groups(), Vec::<PathBuf>::new());
    }

    fn two_keepers_live_side_by_side(&self) {
        let (first, second) = (self.new_sandbox(), self.new_sandbox());
        let (mut ours, mut theirs) = (open(&first), open(&second));
        for handle in [&mut ours, &mut theirs] {
            let (outcome, _) = run(handle, "memory 8", Limits::default());
            self.assert_close(outcome.memory, 8);
        }
        drop((ours, first));
        let (outcome, _) = run(&mut theirs, "memory 8", Limits::default());
        self.assert_close(outcome.memory, 8);
    }

    /// Root could have them, and said not to.
    fn no_group_is_made(&self) {
        let sandbox = self.sandbox();
        let _handle = open(&sandbox);
        assert_eq!(self.groups(), Vec::<PathBuf>::new());
    }

    fn cgroups_are_refused_with_a_remedy(&self) {
        match self.start(Some(ResourceControl::CgroupV2)) {
            Err(SandboxError::Host { remedy, .. }) => assert!(remedy.contains("Delegate=yes"), "{remedy}"),
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(crate) fn nothing_is_left(&self) {
        self.begin_alone();
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        assert!(!mounts.contains(PROGRAM), "{mounts}");
    }

    /// Within 1 MiB or 2 %, whichever is more. Without cgroups a program's peak starts from the size of box
    /// init, which it shares memory with at its birth: 10 MiB in a build without optimisation.
    fn assert_close(&self, measured: Bytes, mebibytes: u64) {
        let wanted = mebibytes << 20;
        let tolerance = (wanted / 50).max(1 << 20);
        let least = if self.expected == ResourceControl::None { 32 << 20 } else { 0 };
        assert!(
            measured.0 + tolerance >= wanted && measured.0 <= (wanted + tolerance).max(least),
            "measured {measured} of {mebibytes} MiB"
        );
    }

    /// Every directory of gavel's in the tree; it owns nothing outside directories of that name.
    #[allow(clippy::unused_self)]
    pub(crate) fn groups(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut pending = vec![PathBuf::from("/sys/fs/cgroup")];
        while let Some(directory) = pending.pop() {
            if directory.file_name().is_some_and(|name| name == "gavel") {
                found.push(directory);
                continue;
            }
            let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
            pending.extend(entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.path()));
        }
        found
    }
}

fn payload(name: &str) -> PathBuf {
    Path::new(PAYLOAD).join(name)
}

fn open(sandbox: &Sandbox) -> BoxHandle {
    let mut handle =
        sandbox.open_box(&Shape::default(), None).unwrap_or_else(|error| panic!("no box: {error}"));
    handle.attach(PROGRAM, &payload("programs")).unwrap();
    handle
}

/// Runs `appetite` with these words.
fn run(handle: &mut BoxHandle, words: &str, limits: Limits) -> (Outcome, String) {
    let program = format!("{PROGRAM}/appetite");
    let argv: Vec<&str> = [program.as_str()].into_iter().chain(words.split_whitespace()).collect();
    run_words(handle, &argv, limits, &[])
}

fn run_words(
    handle: &mut BoxHandle,
    argv: &[&str],
    limits: Limits,
    cancel: &[&CancelToken],
) -> (Outcome, String) {
    let argv: Vec<String> = argv.iter().map(|&word| word.to_owned()).collect();
    let null = File::open("/dev/null").unwrap();
    let (mut stdout, mut stderr) = (Capture::whole(Path::new("/tmp")), Capture::whole(Path::new("/tmp")));
    let command = Command {
        argv: &argv,
        env: &[],
        directory: "/w",
        stdin: null.as_fd(),
        stdout: Stream::Capture(&mut stdout),
        stderr: Stream::Capture(&mut stderr),
        limits,
    };
    let outcome = handle.run(command, cancel).unwrap_or_else(|error| panic!("no result: {error}"));
    (outcome, stdout.head(1000).unwrap())
}

/// Processes of gavel's, and what it runs here, with their names.
pub(crate) fn processes() -> Vec<(i32, String)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let name = fs::read_to_string(entry.path().join("comm")).ok()?.trim().to_owned();
            ["gavel", "gavel-keeper", "gavel-box", "sleep", "appetite"]
                .contains(&name.as_str())
                .then_some((pid, name))
        })
        .collect()
}

/// Waits for something that must come; the limit is only there to end the test.
fn until(what: &str, there: impl Fn() -> bool) {
    let started = Instant::now();
    while !there() {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "not within 30 s: {what}; there are {:?}",
            processes()
        );
        sleep(Duration::from_millis(20));
    }
}
