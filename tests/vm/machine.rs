//! The host's side: builds the base system where there is none yet, boots it with gavel on a second disk, and
//! brings back what the guest reported.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use gavel::cache::Digest;

/// What this test needs of the host, with what each is for.
const TOOLS: &[(&str, &str)] = &[
    ("debootstrap", "to build the guest's system"),
    ("qemu-system-x86_64", "to run it"),
    ("mkfs.ext4", "to make its disks"),
    ("gcc", "to compile what runs in boxes there"),
];

/// Longer than any sound guest takes, on a machine that does other things besides: ten tests at once on two
/// cores have made ten minutes of two.
const LIMIT: Duration = Duration::from_secs(1800);

/// The kernel's command line. The second line is speed alone: what guards against other processors' faults
/// costs an emulated one most, and nobody attacks this guest.
const KERNEL: &str = "console=ttyS0 root=/dev/vda rw quiet panic=-1 systemd.unit=payload.target \
                      mitigations=off no5lvl audit=0 nowatchdog";

/// Boots the machine and returns its report.
pub(crate) fn report() -> Result<String, String> {
    for (tool, purpose) in TOOLS {
        find(tool).ok_or_else(|| format!("{tool} is missing, {purpose}: run 'deploy/setup.sh --with-vm'"))?;
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().ok_or("there is no target directory")?;
    let base = base(&target.join("vm"))?;
    let scratch =
        tempfile::tempdir_in(target.join("vm")).map_err(|error| format!("no scratch place: {error}"))?;
    let payload = payload(scratch.path())?;
    boot(&base, &payload, scratch.path())
}

fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin".into(), "/sbin".into()];
    std::env::split_paths(&path).chain(system).map(|place| place.join(tool)).find(|path| path.is_file())
}

/// A file or folder of this test.
fn own(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vm").join(name)
}

/// The base system, from `cache` or built.
fn base(cache: &Path) -> Result<PathBuf, String> {
    let (script, units) = (own("build-base.sh"), own("units"));
    let mut made_from = fs::read(&script).map_err(|error| format!("{}: {error}", script.display()))?;
    let mut files: Vec<_> =
        fs::read_dir(&units).and_then(Iterator::collect).map_err(|error| error.to_string())?;
    files.sort_by_key(fs::DirEntry::file_name);
    for file in files {
        made_from.extend(fs::read(file.path()).map_err(|error| error.to_string())?);
    }
    let digest = Digest::of(&made_from).to_string();
    let base = cache.join(format!("base-{}", digest.get(..16).unwrap_or(&digest)));
    if !base.join("disk.img").is_file() {
        eprintln!("building the guest's system, once: {}", base.display());
        run(Command::new(&script).arg(&units).arg(&base))?;
    }
    Ok(base)
}

/// The second disk: gavel, this test's executable, programs and packages for them.
fn payload(scratch: &Path) -> Result<PathBuf, String> {
    let tree = scratch.join("payload");
    let copy = |from: &Path, name: &str| {
        let to = tree.join(name);
        fs::create_dir_all(to.parent().unwrap_or(&tree))
            .and_then(|()| fs::copy(from, &to))
            .map(drop)
            .map_err(|error| format!("cannot copy {}: {error}", from.display()))
    };
    copy(Path::new(env!("CARGO_BIN_EXE_gavel")), "gavel")?;
    copy(&std::env::current_exe().map_err(|error| error.to_string())?, "battery")?;
    for script in ["start", "examine"] {
        copy(&own(script), script)?;
    }
    run(Command::new("cp").arg("-r").arg(own("situations")).arg(own("package")).arg(&tree))?;
    run(Command::new("cp").arg("-r").arg(own("../../deploy/systemd")).arg(&tree))?;
    fs::create_dir(tree.join("programs")).map_err(|error| error.to_string())?;
    run(Command::new("gcc")
        .args(["-O2", "-static", "-Wno-unused-result", "-o"])
        .arg(tree.join("programs/appetite"))
        .arg(own("programs/appetite.c")))?;
    // Debug information is most of these files, and every byte costs emulated time.
    run(Command::new("strip").arg(tree.join("gavel")).arg(tree.join("battery")))?;
    let disk = scratch.join("payload.img");
    run(Command::new("mkfs.ext4").arg("-q").arg("-d").arg(&tree).arg(&disk).arg("256M"))?;
    Ok(disk)
}

/// Runs a tool of the host to its end.
fn run(command: &mut Command) -> Result<(), String> {
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin")).stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{command:?} failed ({}):\n{}", output.status, end_of(&String::from_utf8_lossy(&said))))
}

/// Boots and waits until the guest has switched itself off. Emulated, not KVM: the test is to mean the same
/// on every machine, and in virtual ones too.
fn boot(base: &Path, payload: &Path, scratch: &Path) -> Result<String, String> {
    let (console, report) = (scratch.join("console"), scratch.join("report"));
    let drive =
        |path: &Path, options: &str| format!("file={},format=raw,if=virtio,{options}", path.display());
    // Dies with this thread, should the test be killed.
    let mut machine = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max"])
        .args([
            "-smp",
            "2",
            "-m",
            "2048",
            "-nic",
            "none",
            "-display",
            "none",
            "-monitor",
            "none",
            "-no-reboot",
        ])
        .arg("-kernel")
        .arg(base.join("kernel"))
        .arg("-initrd")
        .arg(base.join("initrd"))
        .args(["-append", KERNEL])
        // What the guest writes to its own disk is thrown away.
        .args(["-drive", &drive(&base.join("disk.img"), "snapshot=on")])
        .args(["-drive", &drive(payload, "readonly=on")])
        .args(["-serial", &format!("file:{}", console.display())])
        .args(["-serial", &format!("file:{}", report.display())])
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| format!("setpriv and qemu-system-x86_64 do not start: {error}"))?;
    let started = Instant::now();
    let status = loop {
        match machine.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break Some(status),
            None if started.elapsed() > LIMIT => {
                let _ = machine.kill();
                let _ = machine.wait();
                break None;
            }
            None => sleep(Duration::from_millis(50)),
        }
    };
    let text = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).replace('\r', "");
    // What is left of the last machine, for whoever wants to look.
    for (path, name) in [(&console, "last-console"), (&report, "last-report")] {
        let _ = fs::copy(path, base.with_file_name(name));
    }
    let report = text(&report);
    if report.contains("vm: all situations were there") {
        return Ok(report);
    }
    let what =
        status.map_or_else(|| format!("was killed after {LIMIT:?}"), |status| format!("ended ({status})"));
    Err(format!(
        "the guest {what} before its report was whole:\n{}\nthe end of its console:\n{}",
        end_of(&report),
        end_of(&text(&console))
    ))
}

/// The last lines of a long text.
fn end_of(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}
