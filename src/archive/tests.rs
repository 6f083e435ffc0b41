//! Archives that are right, broken and hostile, each made here.

use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use tar::{EntryType, Header};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

const LIMITS: Limits = Limits { bytes: 1 << 20, entries: 50, ratio: 100, free: 1 << 16 };

/// A directory with an archive in it, and what came of unpacking it.
struct Unpacking {
    directory: tempfile::TempDir,
    outcome: Result<(), ArchiveError>,
}

fn unpack_bytes(bytes: &[u8]) -> Unpacking {
    let directory = tempfile::tempdir().unwrap();
    let packed = directory.path().join("archive");
    fs::write(&packed, bytes).unwrap();
    fs::create_dir(directory.path().join("target")).unwrap();
    let cancel = CancelToken::new().unwrap();
    let outcome = unpack(&packed, "https://h/a", &directory.path().join("target"), LIMITS, &cancel);
    Unpacking { directory, outcome }
}

impl Unpacking {
    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join("target").join(name)).unwrap()
    }

    fn mode(&self, name: &str) -> u32 {
        let path = self.directory.path().join("target").join(name);
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    /// Nothing but files and folders, and all of it where it belongs.
    fn assert_contained(&self) {
        let mut outside: Vec<_> =
            fs::read_dir(self.directory.path()).unwrap().map(|item| item.unwrap().file_name()).collect();
        outside.sort();
        assert_eq!(outside, ["archive", "target"]);
        let mut pending = vec![self.directory.path().join("target")];
        while let Some(directory) = pending.pop() {
            for item in fs::read_dir(directory).unwrap() {
                let item = item.unwrap();
                let kind = item.file_type().unwrap();
                assert!(kind.is_dir() || kind.is_file(), "{item:?}");
                if kind.is_dir() {
                    pending.push(item.path());
                }
            }
        }
    }

    fn refusal(&self) -> String {
        self.assert_contained();
        let error = self.outcome.as_ref().unwrap_err();
        let message = error.to_string();
        assert!(!error.is_ours() && !message.chars().any(char::is_control), "{message}");
        assert!(message.starts_with("archive https://h/a: "), "{message}");
        message
    }
}

fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        let options = SimpleFileOptions::default().unix_permissions(0o644);
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// One tar entry, whatever its name; the library would refuse half of them.
fn tar_entry(kind: EntryType, name: &[u8], content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.as_old_mut().linkname[..6].copy_from_slice(b"target");
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn tar_of(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = entries.concat();
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn file(name: &str, content: &str) -> Vec<u8> {
    tar_entry(EntryType::Regular, name.as_bytes(), content.as_bytes())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// A record of a pax header: its own length first.
fn pax(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}").into_bytes()
}

#[test]
fn every_kind_is_unpacked_and_keeps_what_may_be_run() {
    let mut script = tar_entry(EntryType::Regular, b"./sum/run", b"#!/bin/sh\n");
    let mut header = Header::from_byte_slice(&script[..512]).clone();
    header.set_mode(0o6755);
    header.set_cksum();
    script[..512].copy_from_slice(header.as_bytes());
    let tape = tar_of(&[
        tar_entry(EntryType::Directory, b"./", b""),
        tar_entry(EntryType::Directory, b"./sum/", b""),
        file("./sum/data/1.in", "1 2\n"),
        script,
    ]);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_directory("sum/", SimpleFileOptions::default()).unwrap();
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    writer.start_file("sum/data/1.in", stored).unwrap();
    writer.write_all(b"1 2\n").unwrap();
    writer.start_file("sum/run", SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
    writer.write_all(b"#!/bin/sh\n").unwrap();
    let zipped = writer.finish().unwrap().into_inner();
    for bytes in [zipped, gzip(&tape), zstandard(&tape), tape] {
        let unpacking = unpack_bytes(&bytes);
        unpacking.outcome.as_ref().unwrap();
        unpacking.assert_contained();
        assert_eq!(unpacking.text("sum/data/1.in"), "1 2\n");
        assert_eq!((unpacking.mode("sum/data/1.in"), unpacking.mode("sum/run")), (0o600, 0o700));
    }
}

#[test]
fn long_names_of_both_kinds_are_read() {
    let (long, longer) = (format!("{}/1.in", "d".repeat(120)), format!("{}/2.in", "e".repeat(120)));
    let tape = tar_of(&[
        tar_entry(EntryType::XGlobalHeader, b"pax_global_header", &pax("comment", "0123")),
        tar_entry(EntryType::GNULongName, b"././@LongLink", format!("{long}\0").as_bytes()),
        file("d/1.in", "one"),
        tar_entry(
            EntryType::XHeader,
            b"PaxHeaders/2.in",
            &[pax("mtime", "1.5"), pax("path", &longer)].concat(),
        ),
        file("e/2.in", "two"),
        file("3.in", "three"),
    ]);
    let unpacking = unpack_bytes(&tape);
    unpacking.outcome.as_ref().unwrap();
    assert_eq!([unpacking.text(&long), unpacking.text(&longer)], ["one", "two"]);
    assert_eq!(unpacking.text("3.in"), "three");
}

#[test]
fn nothing_is_written_outside_whatever_an_entry_is_called() {
    let cases: &[(&[u8], &str)] = &[
        (b"../x", "'../x': its name leads out"),
        (b"a/../../x", "leads out"),
        (b"a/..", "leads out"),
        (b"/etc/x", "absolute path"),
        (b"..\\x", "backslash"),
        (b"a\nb", "control characters"),
        (b"\x1b[31m", "control characters"),
        (b"\xff\xfe", "not UTF-8"),
        (b"./", "without a name"),
    ];
    for (name, expected) in cases {
        // A name that ends in a slash would be a folder.
        let tape = tar_of(&[tar_entry(EntryType::Regular, name, b"x")]);
        if *name != b"./" {
            let message = unpack_bytes(&tape).refusal();
            assert!(message.contains(expected), "{message}");
        }
        let Ok(text) = std::str::from_utf8(name) else { continue };
        if !text.ends_with('/') {
            let message = unpack_bytes(&zip_of(&[(text, b"x")])).refusal();
            assert!(message.contains(expected), "{message}");
        }
    }
    let deep = format!("{}x", "a/".repeat(40));
    assert!(unpack_bytes(&zip_of(&[(&deep, b"x")])).refusal().contains("32 folders deep"));
    let long = "a".repeat(300);
    assert!(unpack_bytes(&zip_of(&[(&long, b"x")])).refusal().contains("255 bytes"));
    let longest = "a/".repeat(600);
    assert!(unpack_bytes(&zip_of(&[(&longest, b"x")])).outcome.is_err());
}

#[test]
fn links_and_special_entries_are_refused() {
    for (kind, expected) in [
        (EntryType::Symlink, "'in': it is a symbolic link"),
        (EntryType::Link, "hard link"),
        (EntryType::Char, "device"),
        (EntryType::Block, "device"),
        (EntryType::Fifo, "FIFO"),
        (EntryType::GNUSparse, "sparse"),
        (EntryType::new(b'V'), "neither a file nor a folder"),
    ] {
        let message = unpack_bytes(&tar_of(&[file("1.in", "1"), tar_entry(kind, b"in", b"")])).refusal();
        assert!(message.contains(expected), "{message}");
    }
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_symlink("in", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let message = unpack_bytes(&writer.finish().unwrap().into_inner()).refusal();
    assert!(message.contains("'in': it is a symbolic link"), "{message}");
}

#[test]
fn names_that_clash_are_refused() {
    for (first, second, expected) in [
        ("1.in", "1.in", "twice"),
        ("1.in", "./1.in", "twice"),
        ("a/1.in", "a//1.in", "twice"),
        ("a/1.in", "A/2.in", "in case or Unicode form only"),
        ("1.in", "1.IN", "in case or Unicode form only"),
        // Composed and decomposed, as Macs have it; the same below a folder.
        ("\u{e9}.in", "e\u{301}.in", "in case or Unicode form only"),
        ("\u{e9}/1.in", "E\u{301}/2.in", "in case or Unicode form only"),
        // Hangul, and marks in another order.
        ("\u{ac00}", "\u{1100}\u{1161}", "in case or Unicode form only"),
        ("a\u{323}\u{307}", "a\u{307}\u{323}", "in case or Unicode form only"),
        // Full case folding makes two letters of one: sharp s, ligatures; the Kelvin sign, the final sigma.
        ("stra\u{df}e.in", "STRASSE.in", "in case or Unicode form only"),
        ("stra\u{1e9e}e.in", "strasse.in", "in case or Unicode form only"),
        ("\u{fb01}le.in", "file.in", "in case or Unicode form only"),
        ("\u{fb03}", "ffi", "in case or Unicode form only"),
        ("\u{212a}.in", "k.in", "in case or Unicode form only"),
        ("\u{3c2}", "\u{3c3}", "in case or Unicode form only"),
        ("\u{1f80}", "\u{1f00}\u{3b9}", "in case or Unicode form only"),
        ("a", "a/1.in", "a file and a folder at once"),
        ("a/1.in", "a", "a file and a folder at once"),
    ] {
        let message = unpack_bytes(&tar_of(&[file(first, "1"), file(second, "2")])).refusal();
        assert!(message.contains(expected), "{first} {second}: {message}");
        if first != second {
            let message = unpack_bytes(&zip_of(&[(first, b"1"), (second, b"2")])).refusal();
            assert!(message.contains(expected), "{first} {second}: {message}");
        }
    }
    let twice = replace_all(&zip_of(&[("1.in", b"1"), ("2.in", b"2")]), b"2.in", b"1.in");
    assert!(unpack_bytes(&twice).refusal().contains("the same name"));
}

#[test]
fn names_that_differ_in_more_than_case_and_form_are_different() {
    let names =
        ["\u{e9}.in", "e.in", "stra\u{df}e", "strase", "\u{fb01}", "f", "\u{131}", "i", "\u{2460}", "1"];
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, &b"1"[..])).collect();
    let unpacked = unpack_bytes(&zip_of(&files));
    unpacked.outcome.as_ref().unwrap();
    assert_eq!(unpacked.text("stra\u{df}e"), "1");
}

fn replace_all(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for place in 0..bytes.len() - from.len() {
        if bytes[place..].starts_with(from) {
            bytes[place..place + to.len()].copy_from_slice(to);
        }
    }
    bytes
}

/// Where the directory of a zip archive made here begins.
fn directory_of(zipped: &[u8]) -> usize {
    let end = zipped.len() - 22;
    u32::from_le_bytes(zipped[end + 16..end + 20].try_into().unwrap()) as usize
}

#[test]
fn a_zip_whose_parts_disagree_is_refused() {
    let zipped = zip_of(&[("1.in", b"content"), ("2.in", b"content")]);
    let directory = directory_of(&zipped);
    // Both entries of the directory lead to the first file.
    let mut overlapping = zipped.clone();
    let second = directory + 46 + "1.in".len() + extra_of(&zipped, directory);
    overlapping[second + 42..second + 46].copy_from_slice(&0u32.to_le_bytes());
    let message = unpack_bytes(&overlapping).refusal();
    assert!(message.contains("overlap"), "{message}");
    // The directory calls the file otherwise than the file itself.
    let mut renamed = zipped.clone();
    renamed[directory + 46..directory + 50].copy_from_slice(b"9.in");
    unpack_bytes(&renamed).refusal();
    // Smaller than it is.
    let mut small = zipped.clone();
    small[directory + 24..directory + 28].copy_from_slice(&1u32.to_le_bytes());
    unpack_bytes(&small).refusal();
    // Encrypted, it says.
    let mut encrypted = zipped.clone();
    encrypted[directory + 8] |= 1;
    encrypted[6] |= 1;
    let message = unpack_bytes(&encrypted).refusal();
    assert!(message.contains("encrypted"), "{message}");
    // Another byte of content.
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("1.in", stored).unwrap();
    writer.write_all(b"content").unwrap();
    let damaged = replace_all(&writer.finish().unwrap().into_inner(), b"content", b"CONTENT");
    assert!(unpack_bytes(&damaged).refusal().contains("'1.in': the archive is damaged"));
}

fn extra_of(zipped: &[u8], entry: usize) -> usize {
    usize::from(u16::from_le_bytes([zipped[entry + 30], zipped[entry + 31]]))
}

#[test]
fn bombs_stop_at_their_limits() {
    let zeros = vec![0; 4 << 20];
    let large = zip_of(&[("1.in", &zeros)]);
    let message = unpack_bytes(&large).refusal();
    assert!(message.contains("fetch.highest_ratio"), "{message}");
    let tape = tar_of(&[tar_entry(EntryType::Regular, b"1.in", &zeros)]);
    assert!(unpack_bytes(&gzip(&tape)).refusal().contains("fetch.highest_ratio"));
    // Bytes that do not compress, so that only their sum is too much.
    let mut state = 1u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(600 << 10)
    .collect();
    let message = unpack_bytes(&zip_of(&[("1.in", &noise), ("2.in", &noise)])).refusal();
    assert!(message.contains("'2.in': the archive holds more than 1MiB"), "{message}");
    let names: Vec<_> = (0..60).map(|number| format!("{number}.in")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert!(unpack_bytes(&zip_of(&many)).refusal().contains("fetch.most_entries"));
    let many: Vec<_> = names.iter().map(|name| file(name, "")).collect();
    assert!(unpack_bytes(&tar_of(&many)).refusal().contains("fetch.most_entries"));
    let names = vec![b'a'; 1 << 20];
    let extended = tar_of(&[tar_entry(EntryType::GNULongName, b"x", &names), file("1.in", "")]);
    assert!(unpack_bytes(&extended).refusal().contains("larger than 64 KiB"));
}

#[test]
fn folders_of_a_tape_cost_no_more_than_files() {
    // Nothing is made for a folder that is there, yet each of them is read.
    for name in [&b"./"[..], b"data/"] {
        let many = vec![tar_entry(EntryType::Directory, name, b""); 60];
        let message = unpack_bytes(&gzip(&tar_of(&many))).refusal();
        assert!(message.contains("more than 50 entries (fetch.most_entries)"), "{message}");
    }
    let zeros = vec![0; 4 << 20];
    for kind in [EntryType::Directory, EntryType::Regular] {
        let message = unpack_bytes(&gzip(&tar_of(&[tar_entry(kind, b"data/", &zeros)]))).refusal();
        assert!(message.contains("'data/': it is a folder with content"), "{message}");
    }
}

#[test]
fn what_is_no_archive_is_refused_with_what_it_is() {
    for (bytes, expected) in [
        (&b""[..], "it is empty"),
        (b"BZh91AY", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"Rar!\x1a", "RAR"),
        (b"<!DOCTYPE html>", "no archive known here"),
        (&[0; 1024], "no archive known here"),
    ] {
        let message = unpack_bytes(bytes).refusal();
        assert!(message.contains(expected) && message.contains("zip, tar, tar.gz"), "{message}");
    }
    unpack_bytes(&gzip(b"not a tar archive")).refusal();
    unpack_bytes(&zstandard(&[7; 600])).refusal();
}

#[test]
fn cut_archives_are_refused_wherever_they_are_cut() {
    let tape = tar_of(&[file("1.in", &"1 2\n".repeat(300)), file("1.ans", "3\n")]);
    let zipped = zip_of(&[("1.in", "1 2\n".repeat(300).as_bytes()), ("1.ans", b"3\n")]);
    for cut in (1..zipped.len()).step_by(7) {
        unpack_bytes(&zipped[..cut]).refusal();
    }
    // A tape may end without its mark, but not within an entry.
    for cut in [511, 513, 700, 512 + 1200, 2048 + 100] {
        unpack_bytes(&tape[..cut]).refusal();
    }
    for packed in [gzip(&tape), zstandard(&tape)] {
        for cut in (1..packed.len() / 2).step_by(3) {
            unpack_bytes(&packed[..cut]).refusal();
        }
    }
}

#[test]
fn unpacking_stops_when_told() {
    let directory = tempfile::tempdir().unwrap();
    let packed = directory.path().join("archive");
    fs::write(&packed, zip_of(&[("1.in", b"1")])).unwrap();
    let cancel = CancelToken::new().unwrap();
    cancel.cancel();
    let outcome = unpack(&packed, "a", directory.path(), LIMITS, &cancel);
    assert!(matches!(outcome, Err(ArchiveError::Cancelled)), "{outcome:?}");
    // Also where there is nothing to write.
    fs::write(&packed, tar_of(&[tar_entry(EntryType::Directory, b"./", b"")])).unwrap();
    let outcome = unpack(&packed, "a", directory.path(), LIMITS, &cancel);
    assert!(matches!(outcome, Err(ArchiveError::Cancelled)), "{outcome:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_change_of_an_archive_gets_anything_out_of_its_directory(
        kind in 0usize..4,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let tape = tar_of(&[
            tar_entry(EntryType::XHeader, b"x", &pax("path", "sum/data/1.in")),
            file("1.in", "1 2\n"),
            file("sum/1.ans", "3\n"),
        ]);
        let mut bytes = match kind {
            0 => tape,
            1 => gzip(&tape),
            2 => zstandard(&tape),
            _ => zip_of(&[("sum/1.in", b"1 2\n"), ("sum/1.ans", b"3\n")]),
        };
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let unpacking = unpack_bytes(&bytes);
        unpacking.assert_contained();
        if let Err(error) = &unpacking.outcome {
            prop_assert!(!error.is_ours(), "{}", error);
        }
    }

    #[test]
    fn no_bytes_break_a_reader(magic in 0usize..4, bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let magic: &[u8] = [&b"PK\x03\x04"[..], b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b""][magic];
        unpack_bytes(&[magic, &bytes].concat()).refusal();
    }
}
