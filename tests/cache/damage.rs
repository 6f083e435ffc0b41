//! What a cache does about damaged entries, foreign files, bad roots and bad disks.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use gavel::cache::{Digest, Draft, Entry, KeyBuilder, Lookup, Store};
use gavel::units::Bytes;

const CAPACITY: Bytes = Bytes::mib(64);
const SMALL_DISK: &str = "GAVEL_TEST_CACHE_SMALL_DISK";

fn key() -> Digest {
    KeyBuilder::default().field("name", "k").finish()
}

fn draft(store: &Store) -> Draft {
    match store.get_or_lock(&key()).unwrap() {
        Lookup::Miss(draft) => draft,
        Lookup::Hit(entry) => panic!("{} should not be there", entry.path().display()),
    }
}

fn commit(store: &Store) -> Entry {
    let draft = draft(store);
    let mut source = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut source, b"#!/bin/sh\n").unwrap();
    std::io::Seek::rewind(&mut source).unwrap();
    draft.import(Path::new("bin/program"), &mut source, true).unwrap();
    fs::write(draft.path().join("notes"), "notes").unwrap();
    store.commit(draft).unwrap()
}

fn object(store: &Store) -> PathBuf {
    let name = key().to_string();
    store.root().join("objects").join(&name[..2]).join(&name)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Given an entry's directory and its manifest.
type Damage<'a> = &'a dyn Fn(&Path, &Path);

/// Lets the test change what the store made read-only.
fn unlock(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn anyone_can_read_an_entry_and_nobody_write_it() {
    let store = Store::ephemeral(CAPACITY).unwrap();
    let entry = commit(&store);
    assert_eq!(mode(store.root()), 0o700);
    for (name, expected) in [("", 0o555), ("bin", 0o555), ("bin/program", 0o555), ("notes", 0o444)] {
        assert_eq!(mode(&entry.path().join(name)), expected, "{name}");
    }
    assert_eq!(fs::read(entry.path().join("bin/program")).unwrap(), b"#!/bin/sh\n");
}

#[test]
fn an_ephemeral_store_leaves_nothing() {
    let store = Store::ephemeral(CAPACITY).unwrap();
    let root = store.root().to_owned();
    drop(commit(&store));
    drop(store);
    assert!(!root.exists());
}

#[test]
fn every_kind_of_damage_is_seen_and_made_good() {
    let damages: &[(&str, Damage)] = &[
        ("same size, other bytes", &|object, _| fs::write(object.join("notes"), "NOTES").unwrap()),
        ("truncated", &|object, _| fs::write(object.join("notes"), "").unwrap()),
        ("removed", &|object, _| fs::remove_file(object.join("notes")).unwrap()),
        ("added", &|object, _| fs::write(object.join("more"), "").unwrap()),
        ("other mode", &|object, _| unlock(&object.join("notes"))),
        ("replaced by a link", &|object, _| {
            fs::remove_file(object.join("notes")).unwrap();
            symlink("/etc/passwd", object.join("notes")).unwrap();
        }),
        ("emptied", &|object, _| {
            unlock(&object.join("bin"));
            fs::remove_dir_all(object).unwrap();
            fs::create_dir(object).unwrap();
        }),
        ("gone", &|object, _| {
            unlock(&object.join("bin"));
            fs::remove_dir_all(object).unwrap();
        }),
        ("manifest empty", &|_, manifest| fs::write(manifest, "").unwrap()),
        ("manifest cut", &|_, manifest| {
            let bytes = fs::read(manifest).unwrap();
            fs::write(manifest, &bytes[..bytes.len() - 1]).unwrap();
        }),
        ("manifest of another version", &|_, manifest| {
            let bytes = fs::read(manifest).unwrap();
            fs::write(manifest, [b"gavel-cache 9", &bytes[13..]].concat()).unwrap();
        }),
        ("manifest a directory", &|_, manifest| {
            fs::remove_file(manifest).unwrap();
            fs::create_dir(manifest).unwrap();
        }),
        ("manifest a FIFO", &|_, manifest| {
            fs::remove_file(manifest).unwrap();
            nix::unistd::mkfifo(manifest, nix::sys::stat::Mode::S_IRUSR).unwrap();
        }),
    ];
    for (name, damage) in damages {
        let store = Store::ephemeral(CAPACITY).unwrap();
        drop(commit(&store));
        let object = object(&store);
        unlock(&object);
        if *name != "other mode" {
            unlock(&object.join("notes"));
        }
        damage(&object, &object.with_extension("meta"));
        assert!(store.get(&key()).unwrap().is_none(), "{name}");
        drop(commit(&store));
        let entry = store.get(&key()).unwrap().unwrap();
        assert_eq!(fs::read(entry.path().join("notes")).unwrap(), b"notes", "{name}");
    }
}

#[test]
fn a_damaged_entry_still_in_use_is_replaced() {
    let store = Store::ephemeral(CAPACITY).unwrap();
    let _in_use = commit(&store);
    unlock(&object(&store).join("notes"));
    fs::write(object(&store).join("notes"), "NOTES").unwrap();
    let entry = commit(&store);
    assert_eq!(fs::read(entry.path().join("notes")).unwrap(), b"notes");
}

#[test]
fn after_a_reboot_an_entry_is_compared_once_and_then_trusted() {
    let store = Store::ephemeral(CAPACITY).unwrap();
    drop(commit(&store));
    let manifest = object(&store).with_extension("meta");
    let of_this_boot = fs::read(&manifest).unwrap();
    let mut of_another = of_this_boot.clone();
    of_another[14..50].fill(b'0');
    fs::write(&manifest, &of_another).unwrap();
    assert!(store.get(&key()).unwrap().is_some());
    assert_eq!(fs::read(&manifest).unwrap(), of_this_boot);
}

#[test]
fn links_and_special_files_are_not_kept() {
    let store = Store::ephemeral(CAPACITY).unwrap();
    let attempts: &[&dyn Fn(&Path)] = &[
        &|path| symlink("/etc/passwd", path.join("link")).unwrap(),
        &|path| nix::unistd::mkfifo(&path.join("fifo"), nix::sys::stat::Mode::S_IRUSR).unwrap(),
        &|path| {
            fs::write(path.join("one"), "x").unwrap();
            fs::hard_link(path.join("one"), path.join("two")).unwrap();
        },
    ];
    for attempt in attempts {
        let draft = draft(&store);
        attempt(draft.path());
        let message = store.commit(draft).unwrap_err().to_string();
        assert!(message.contains("cannot be kept") || message.contains("can be kept"), "{message}");
    }
    let draft = draft(&store);
    for name in ["../x", "/x", "", "a/../../x", "."] {
        let mut source = tempfile::tempfile().unwrap();
        assert!(draft.import(Path::new(name), &mut source, false).is_err(), "{name}");
    }
}

#[test]
fn foreign_files_are_left_alone() {
    let store = Store::ephemeral(CAPACITY).unwrap();
    let root = store.root().to_owned();
    let foreign = ["mine", "objects/mine", "objects/zz.meta", "drafts/mine", "drafts/abc.lock"];
    for name in foreign {
        fs::write(root.join(name), "mine").unwrap();
    }
    fs::create_dir_all(root.join("objects/ab/folder")).unwrap();
    let again = Store::open(&root, Bytes(1)).unwrap();
    drop(commit(&again));
    assert!(foreign.iter().all(|name| root.join(name).exists()));
    assert!(root.join("objects/ab/folder").exists());
}

#[test]
fn roots_that_others_could_write_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let real = directory.path().join("real");
    fs::create_dir(&real).unwrap();
    symlink(&real, directory.path().join("link")).unwrap();
    fs::create_dir(directory.path().join("open")).unwrap();
    fs::set_permissions(directory.path().join("open"), Permissions::from_mode(0o777)).unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    let theirs = if nix::unistd::geteuid().is_root() {
        let path = directory.path().join("theirs");
        fs::create_dir(&path).unwrap();
        std::os::unix::fs::chown(&path, Some(12345), None).unwrap();
        path
    } else {
        PathBuf::from("/usr")
    };
    for (path, problem) in [
        (directory.path().join("link"), "symbolic link"),
        (directory.path().join("open"), "other users may write"),
        (directory.path().join("file"), "not a directory"),
        (theirs, "another user"),
    ] {
        let message = Store::open(&path, CAPACITY).unwrap_err().to_string();
        assert!(message.contains(problem) && message.contains("GAVEL_CACHE"), "{message}");
    }
    assert_eq!(fs::read_dir(&real).unwrap().count(), 0);
}

/// Not a check of its own: what the next test runs on a disk of 256 KiB that only it can see.
#[test]
fn on_a_small_disk() {
    let Some(disk) = std::env::var_os(SMALL_DISK) else { return };
    let root = Path::new(&disk).join("cache");
    let store = Store::open(&root, CAPACITY).unwrap();
    let nothing_remains = || {
        assert_eq!(fs::read_dir(root.join("drafts")).unwrap().count(), 0);
        assert!(!object(&store).exists());
    };

    let mut large = tempfile::tempfile().unwrap();
    large.set_len(1 << 20).unwrap();
    let unfinished = draft(&store);
    let error = unfinished.import(Path::new("large"), &mut large, false).unwrap_err();
    assert_eq!(error.source.kind(), std::io::ErrorKind::StorageFull);
    assert!(error.to_string().contains("free some space"), "{error}");
    // The disk is full now: no room for the manifest.
    let error = store.commit(unfinished).unwrap_err();
    assert_eq!(error.source.kind(), std::io::ErrorKind::StorageFull, "{error}");
    nothing_remains();

    drop(commit(&store));
    let status = Command::new("mount").args(["-o", "remount,bind,ro"]).arg(&disk).status().unwrap();
    assert!(status.success());
    let store = Store::open(&root, CAPACITY).unwrap();
    assert!(store.get(&key()).unwrap().is_some());
    let other = KeyBuilder::default().field("name", "other").finish();
    let message = store.get_or_lock(&other).unwrap_err().to_string();
    assert!(message.contains("make it writable"), "{message}");
}

#[test]
fn a_full_disk_and_a_read_only_one_are_errors_with_a_remedy() {
    crate::small_disk::run("damage::on_a_small_disk", SMALL_DISK, "256k");
}
