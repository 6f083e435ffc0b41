//! One cache directory used by many threads and processes at once, some of which are killed.
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use gavel::cache::{Digest, Draft, KeyBuilder, Lookup, Store};
use gavel::units::Bytes;

const CAPACITY: Bytes = Bytes::gib(1);
const ROLE: &str = "GAVEL_TEST_CACHE_ROLE";
const ROOT: &str = "GAVEL_TEST_CACHE_ROOT";
const KEYS: usize = 20;

fn key(name: impl AsRef<[u8]>) -> Digest {
    KeyBuilder::default().field("name", name).finish()
}

fn miss(lookup: Lookup) -> Draft {
    match lookup {
        Lookup::Miss(draft) => draft,
        Lookup::Hit(entry) => panic!("{} should not be there", entry.path().display()),
    }
}

/// This test program again, as a process of its own playing `role`.
fn start(role: &str, root: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sharing::child_process", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(ROOT, root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for a child's word; libtest writes lines of its own.
fn wait_for(child: &mut Child, word: &str) {
    let mut reader = BufReader::new(child.stdout.as_mut().unwrap());
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 0 {
        if line.trim_end().ends_with(word) {
            return;
        }
        line.clear();
    }
    panic!("the child ended without saying {word}");
}

fn until_told() {
    let _ = std::io::stdin().read(&mut [0]);
}

/// Not a check of its own: what [`start`] runs.
#[test]
fn child_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let root = std::env::var(ROOT).unwrap();
    let store = Store::open(Path::new(&root), CAPACITY).unwrap();
    match role.as_str() {
        "make all" => make_all(&store, Path::new(&root)),
        "die in mid-write" => {
            let draft = miss(store.get_or_lock(&key("slow")).unwrap());
            std::fs::write(draft.path().join("half"), "hal").unwrap();
            println!("\nwriting");
            until_told();
        }
        "use" => {
            let _entry = store.get(&key("used")).unwrap().unwrap();
            println!("\nusing");
            until_told();
        }
        other => panic!("no such role: {other}"),
    }
}

/// Asks for every key and makes what is missing, noting each making in a log beside the store.
fn make_all(store: &Store, root: &Path) {
    for index in 0..KEYS {
        let entry = match store.get_or_lock(&key(index.to_string())).unwrap() {
            Lookup::Hit(entry) => entry,
            Lookup::Miss(draft) => {
                let mut log =
                    std::fs::OpenOptions::new().create(true).append(true).open(root.join("log")).unwrap();
                log.write_all(format!("{index}\n").as_bytes()).unwrap();
                for part in 0..5 {
                    std::fs::write(draft.path().join(part.to_string()), index.to_string()).unwrap();
                }
                store.commit(draft).unwrap()
            }
        };
        for part in 0..5 {
            let text = std::fs::read_to_string(entry.path().join(part.to_string())).unwrap();
            assert_eq!(text, index.to_string());
        }
    }
}

#[test]
fn threads_and_processes_make_every_entry_once() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("cache");
    let store = Store::open(&root, CAPACITY).unwrap();
    let children: Vec<Child> = (0..4).map(|_| start("make all", &root)).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| make_all(&store, &root));
        }
    });
    for child in children {
        let output = child.wait_with_output().unwrap();
        // A name that no test has is no failure to libtest.
        let ran = String::from_utf8_lossy(&output.stdout).contains("1 passed");
        assert!(output.status.success() && ran, "{output:?}");
    }
    let log = std::fs::read_to_string(root.join("log")).unwrap();
    let mut made: Vec<usize> = log.lines().map(|line| line.parse().unwrap()).collect();
    made.sort_unstable();
    assert_eq!(made, (0..KEYS).collect::<Vec<_>>());
    assert_eq!(std::fs::read_dir(root.join("drafts")).unwrap().count(), 0);
}

#[test]
fn the_second_to_ask_waits_for_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("cache"), CAPACITY).unwrap();
    let draft = miss(store.get_or_lock(&key("k")).unwrap());
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| sender.send(store.get_or_lock(&key("k")).unwrap()).unwrap());
        // Other keys are free meanwhile.
        miss(store.get_or_lock(&key("other")).unwrap());
        assert!(receiver.try_recv().is_err());
        std::fs::write(draft.path().join("file"), "x").unwrap();
        store.commit(draft).unwrap();
    });
    assert!(matches!(receiver.recv().unwrap(), Lookup::Hit(_)));
}

#[test]
fn giving_up_lets_the_next_try() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("cache"), CAPACITY).unwrap();
    let draft = miss(store.get_or_lock(&key("k")).unwrap());
    std::fs::write(draft.path().join("file"), "x").unwrap();
    let path = draft.path().to_owned();
    drop(draft);
    assert!(!path.exists());
    let draft = miss(store.get_or_lock(&key("k")).unwrap());
    assert_eq!(std::fs::read_dir(draft.path()).unwrap().count(), 0);
}

#[test]
fn a_killed_maker_is_followed_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("cache");
    let store = Store::open(&root, CAPACITY).unwrap();
    let mut child = start("die in mid-write", &root);
    wait_for(&mut child, "writing");
    let half = root.join("drafts").join(key("slow").to_string()).join("half");
    // Opening clears what the dead left, and this maker lives.
    Store::open(&root, CAPACITY).unwrap();
    assert!(half.exists());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| miss(store.get_or_lock(&key("slow")).unwrap()));
        child.kill().unwrap();
        child.wait().unwrap();
        let draft = waiting.join().unwrap();
        assert_eq!(std::fs::read_dir(draft.path()).unwrap().count(), 0);
        std::fs::write(draft.path().join("whole"), "whole").unwrap();
        let entry = store.commit(draft).unwrap();
        assert_eq!(std::fs::read(entry.path().join("whole")).unwrap(), b"whole");
    });
}

#[test]
fn opening_clears_what_a_killed_maker_left() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("cache");
    let mut child = start("die in mid-write", &root);
    wait_for(&mut child, "writing");
    child.kill().unwrap();
    child.wait().unwrap();
    // As if it had been killed between moving the directory into place and writing its manifest.
    let object = root.join("objects").join(&key("slow").to_string()[..2]).join(key("slow").to_string());
    std::fs::create_dir_all(&object).unwrap();
    let store = Store::open(&root, CAPACITY).unwrap();
    assert_eq!(std::fs::read_dir(root.join("drafts")).unwrap().count(), 0);
    assert!(!object.exists());
    assert!(store.get(&key("slow")).unwrap().is_none());
}

#[test]
fn an_entry_in_use_by_another_process_is_not_evicted() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("cache");
    let store = Store::open(&root, Bytes(1)).unwrap();
    let commit = |name: &str| {
        let draft = miss(store.get_or_lock(&key(name)).unwrap());
        std::fs::write(draft.path().join("file"), name).unwrap();
        store.commit(draft).unwrap()
    };
    let used = commit("used");
    let mut child = start("use", &root);
    wait_for(&mut child, "using");
    drop(used);
    drop(commit("one"));
    drop(commit("two"));
    assert!(store.get(&key("one")).unwrap().is_none());
    assert!(store.get(&key("used")).unwrap().is_some());
    drop(child.stdin.take());
    child.wait().unwrap();
    drop(commit("three"));
    assert!(store.get(&key("used")).unwrap().is_none());
}
