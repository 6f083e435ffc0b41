//! A cache stays within its size: the least recently used entries go, and none in use.
use std::path::Path;

use gavel::cache::{Digest, Entry, KeyBuilder, Lookup, Store};
use gavel::units::Bytes;

/// One file of 4096 bytes: its block, its share of a directory, and the directory.
const ENTRY: u64 = 3 * 4096;

fn key(number: usize) -> Digest {
    KeyBuilder::default().field("number", number.to_le_bytes()).finish()
}

fn commit(store: &Store, number: usize) -> Entry {
    match store.get_or_lock(&key(number)).unwrap() {
        Lookup::Miss(draft) => {
            std::fs::write(draft.path().join("file"), vec![7; 4096]).unwrap();
            store.commit(draft).unwrap()
        }
        Lookup::Hit(entry) => entry,
    }
}

fn present(store: &Store, numbers: impl IntoIterator<Item = usize>) -> Vec<usize> {
    numbers.into_iter().filter(|number| store.get(&key(*number)).unwrap().is_some()).collect()
}

fn entries_on_disk(root: &Path) -> usize {
    let groups = std::fs::read_dir(root.join("objects")).unwrap();
    let items = groups.flat_map(|group| std::fs::read_dir(group.unwrap().path()).unwrap());
    items.filter(|item| item.as_ref().unwrap().file_type().unwrap().is_dir()).count()
}

#[test]
fn the_least_recently_used_go_first() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("cache"), Bytes(8 * ENTRY)).unwrap();
    for number in 0..8 {
        assert_eq!(commit(&store, number).size(), Bytes(ENTRY));
    }
    assert_eq!(present(&store, [0, 2]), [0, 2]);
    drop(commit(&store, 8));
    // One too many, and an eighth of the capacity besides.
    assert_eq!(present(&store, 0..9), [0, 2, 4, 5, 6, 7, 8]);
}

#[test]
fn entries_in_use_stay_and_so_do_their_files() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("cache"), Bytes(4 * ENTRY)).unwrap();
    let held: Vec<Entry> = (0..6).map(|number| commit(&store, number)).collect();
    for number in 6..20 {
        drop(commit(&store, number));
    }
    for entry in &held {
        assert_eq!(std::fs::read(entry.path().join("file")).unwrap().len(), 4096);
    }
    assert_eq!(present(&store, 0..6), [0, 1, 2, 3, 4, 5]);
    drop(held);
    drop(commit(&store, 20));
    assert!(entries_on_disk(&directory.path().join("cache")) <= 4);
}

#[test]
fn the_size_holds_over_many_commits_and_over_a_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("cache");
    for opening in 0..3 {
        let store = Store::open(&root, Bytes(16 * ENTRY)).unwrap();
        for number in 0..40 {
            drop(commit(&store, opening * 40 + number));
            assert!(entries_on_disk(&root) <= 16);
        }
    }
    assert_eq!(std::fs::read_dir(root.join("drafts")).unwrap().count(), 0);
}

#[test]
fn an_entry_larger_than_the_cache_can_be_used() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("cache"), Bytes(1)).unwrap();
    let entry = commit(&store, 0);
    assert!(entry.path().join("file").exists());
}

#[test]
fn directories_without_a_manifest_are_cleared_by_a_scan() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("cache");
    let store = Store::open(&root, Bytes(8 * ENTRY)).unwrap();
    let name = key(1).to_string();
    let orphan = root.join("objects").join(&name[..2]).join(&name);
    std::fs::create_dir_all(&orphan).unwrap();
    drop(commit(&store, 2));
    assert!(!orphan.exists());
}
