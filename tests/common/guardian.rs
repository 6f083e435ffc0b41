//! Ends what tests leave running when their process is gone without having ended it, be it killed.
//!
//! One shell for all of a test process: it is told of each process as it is started, and its input ends with the test
//! process, however that ends. A process is known by its id and when it began, so that one that ended long ago is never
//! taken for another.
#![allow(dead_code)] // Every test file uses a part of it.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

use procfs::process::Process;

/// Kills in the order it was told, then removes folders. Where nobody reaps what was killed it waits for 10 s only.
const SCRIPT: &str = r#"
began() { stat=$(cat "/proc/$1/stat") && set -- ${stat##*) } && echo "${20}"; }
told=$(cat)
is_known() { [ "$(began "$1")" = "$2" ]; }
printf '%s\n' "$told" | while read -r kind process began; do
    case $kind in
        process) is_known "$process" "$began" && kill -9 "$process" ;;
        group) is_known "$process" "$began" && kill -9 "-$process" ;;
    esac
done
printf '%s\n' "$told" | while read -r kind rest; do
    [ "$kind" = folder ] || continue
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        rm -rf "$rest" && sleep 1 && [ ! -e "$rest" ] && break
    done
done
"#;

static GUARDIAN: LazyLock<Mutex<Child>> = LazyLock::new(|| {
    let shell = Command::new("sh")
        .args(["-c", SCRIPT, "guardian"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // What is typed at a terminal is not for it.
        .process_group(0)
        .spawn()
        .unwrap();
    Mutex::new(shell)
});

fn tell(line: &str) {
    let mut guardian = GUARDIAN.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(guardian.stdin.as_mut().unwrap(), "{line}").unwrap();
}

fn began(child: &Child) -> u64 {
    Process::new(child.id().try_into().unwrap()).and_then(|process| process.stat()).unwrap().starttime
}

/// To be ended with the test process, if it is still there.
pub(crate) fn watch(child: &Child) {
    tell(&format!("process {} {}", child.id(), began(child)));
}

/// The same for all of a process group.
pub(crate) fn watch_group(leader: &Child) {
    tell(&format!("group {} {}", leader.id(), began(leader)));
}

/// To be removed after everything was ended.
pub(crate) fn watch_folder(folder: &Path) {
    tell(&format!("folder {}", folder.display()));
}
