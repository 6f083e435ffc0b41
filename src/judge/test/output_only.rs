//! Reads submissions that are the outputs themselves: a file for each test, or one archive of them.
//!
//! Each file is checked as if a program had written it. Names assign files to tests (Kattis' tests with any of their endings,
//! CMS' `output_%s.txt`). A test without a file is a wrong answer, so contestants may submit a part. An archive is read entry
//! by entry when its test is checked, and never beyond the output limit.

use std::io::{self, Cursor, Read};
use std::path::Path;

use memchr::memmem;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::archive::is_of_macos;
use crate::judge::fault::Fault;
use crate::judge::request::Source;
use crate::package::{Package, Test};
use crate::sandbox::Capture;
use crate::units::Bytes;

/// First bytes of a zip archive; an empty one consists of its end alone.
const MAGIC: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];
/// Largest number of entries of an archive, and more for each test: every name is compared with every test's.
const ENTRIES: usize = 1000;
const ENTRIES_A_TEST: usize = 4;
/// First bytes of each entry of an archive's directory.
const DIRECTORY_ENTRY: &[u8] = b"PK\x01\x02";
/// Endings of answers, the likeliest first; a file may also have none.
const ENDINGS: &[&str] = &[".out", ".ans", ".txt", ".a", ".answer", ".output", ""];
/// Prefixes of a test's name or number: CMS asks for `output_000.txt`, and calls its inputs `input0.txt`.
const PREFIXES: &[&str] = &["output_", "output", "input_", "input"];
const TYPE_MASK: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;

/// Why the submitted outputs cannot be read: the contestant's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unreadable(String);

/// The outputs of a submission.
#[derive(Debug)]
pub(crate) struct Answers<'a> {
    files: Files<'a>,
    /// Names of the files, with the folders they lie in, and their places.
    names: Vec<(String, usize)>,
    /// The names of all tests of the package.
    tests: Vec<&'a str>,
}

#[derive(Debug)]
enum Files<'a> {
    Plain(&'a [Source]),
    Zip(ZipArchive<Cursor<&'a [u8]>>),
}

/// The output submitted for a test.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Its content.
    Given(Capture),
    /// It is larger than the output limit.
    TooLarge,
    /// There is none.
    Missing,
    /// An entry of the archive that cannot be unpacked.
    Broken(String),
}

impl<'a> Answers<'a> {
    /// Lists the submitted files.
    ///
    /// # Errors
    /// When it is an archive that cannot be read.
    pub(crate) fn new(package: &'a Package, sources: &'a [Source]) -> Result<Self, Unreadable> {
        let tests = package.tests.iter().map(|test| test.name.as_str()).collect();
        if let [only] = sources
            && MAGIC.iter().any(|magic| only.bytes.starts_with(magic))
        {
            let most = ENTRIES.saturating_add(package.tests.len().saturating_mul(ENTRIES_A_TEST));
            let archive = open(&only.bytes, most)?;
            let names = entries(&archive, most)?;
            return Ok(Self { files: Files::Zip(archive), names, tests });
        }
        let names = sources.iter().enumerate().map(|(place, source)| (source.name.clone(), place)).collect();
        Ok(Self { files: Files::Plain(sources), names, tests })
    }

    /// Reads the output for a test, unless it is larger than `limit`.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub(crate) fn of(&self, test: &Test, limit: Bytes, spill: &Path) -> Result<Answer, Fault> {
        let Some(place) = self.place(&test.name) else { return Ok(Answer::Missing) };
        match &self.files {
            Files::Plain(sources) => {
                let bytes = sources.get(place).map_or(&[][..], |source| &source.bytes);
                keep(bytes, limit, spill)
            }
            Files::Zip(archive) => {
                let mut archive = archive.clone();
                match archive.by_index(place) {
                    Ok(entry) => keep(entry, limit, spill),
                    Err(error) => Ok(Answer::Broken(told(&error))),
                }
            }
        }
    }

    /// Returns whether there is an output for a test.
    pub(crate) fn has(&self, test: &Test) -> bool {
        self.place(&test.name).is_some()
    }

    /// Returns the file for a test: the one whose name fits the test's best.
    fn place(&self, test: &str) -> Option<usize> {
        if let ([_], [(_, place)], Files::Plain(_)) =
            (self.tests.as_slice(), self.names.as_slice(), &self.files)
        {
            // One test and one file: whatever it is called.
            return Some(*place);
        }
        let test = Wanted {
            name: test,
            has_own_base: self.is_only(test, |other| base(other) == base(test)),
            own_number: number(base(test))
                .filter(|own| self.is_only(test, |other| number(base(other)) == Some(own))),
        };
        let fits = |file: &str| {
            ENDINGS
                .iter()
                .enumerate()
                .filter_map(|(rank, ending)| {
                    let stem = file.strip_suffix(ending)?;
                    Some((test.closeness(stem)?, rank))
                })
                .min()
        };
        let ranked = self.names.iter().filter_map(|(name, place)| Some((fits(name)?, *place)));
        ranked.min().map(|(_, place)| place)
    }

    /// Returns whether no other test is like that; samples do not count beside secret tests.
    fn is_only(&self, test: &str, is_like: impl Fn(&str) -> bool) -> bool {
        let mut others = self.tests.iter().filter(|other| **other != test && is_like(other));
        let is_sample = |name: &str| name.starts_with("sample/");
        !is_sample(test) && others.clone().all(|other| is_sample(other)) || others.next().is_none()
    }
}

/// A test whose file is searched.
struct Wanted<'a> {
    name: &'a str,
    /// Whether no other test has that name without its folder.
    has_own_base: bool,
    /// Its number, where no other test has it.
    own_number: Option<&'a str>,
}

impl Wanted<'_> {
    /// How well a file's name without its ending fits the test, 0 being best: the whole name, its end, the test's own
    /// name alone where no other test has it, or its number.
    fn closeness(&self, stem: &str) -> Option<u8> {
        let is_end = |whole: &str, end: &str| whole.strip_suffix(end).is_some_and(|rest| rest.ends_with('/'));
        if stem == self.name || is_end(stem, self.name) {
            return Some(0);
        }
        if stem.contains('/') && is_end(self.name, stem) {
            return Some(1);
        }
        if self.has_own_base && base(stem) == base(self.name) {
            return Some(2);
        }
        (self.own_number.is_some() && number(base(stem)) == self.own_number).then_some(3)
    }
}

fn base(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Returns the number in a name that is nothing else, without leading zeros.
fn number(name: &str) -> Option<&str> {
    let name = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let digits = name.trim_start_matches('0');
    is_number.then_some(if digits.is_empty() { "0" } else { digits })
}

fn keep(content: impl Read, limit: Bytes, spill: &Path) -> Result<Answer, Fault> {
    let mut kept = Capture::whole(spill);
    let mut content = content.take(limit.0.saturating_add(1));
    let mut buffer = vec![0u8; 64 << 10];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => kept
                .push(buffer.get(..length).unwrap_or_default())
                .map_err(|error| Fault::file("write to", spill, error))?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Ok(Answer::Broken(error.to_string())),
        }
    }
    Ok(if kept.total() > limit.0 { Answer::TooLarge } else { Answer::Given(kept) })
}

fn open(bytes: &[u8], most: usize) -> Result<ZipArchive<Cursor<&[u8]>>, Unreadable> {
    // The directory is held in memory, and costs some times what it has in the file: its entries are counted before,
    // whatever the archive's end says of them.
    if memmem::find_iter(bytes, DIRECTORY_ENTRY).nth(most).is_some() {
        return Err(Unreadable(format!("the archive has more than {most} entries")));
    }
    ZipArchive::new(Cursor::new(bytes))
        .map_err(|error| Unreadable(format!("the archive cannot be read: {}", told(&error))))
}

/// Lists the plain files of an archive with their indices.
fn entries(archive: &ZipArchive<Cursor<&[u8]>>, most: usize) -> Result<Vec<(String, usize)>, Unreadable> {
    let mut archive = archive.clone();
    if archive.len() > most {
        return Err(Unreadable(format!("the archive has more than {most} entries")));
    }
    let mut names = Vec::new();
    for place in 0..archive.len() {
        let entry = archive
            .by_index_raw(place)
            .map_err(|error| Unreadable(format!("the archive cannot be read: {}", told(&error))))?;
        let is_plain = matches!(entry.unix_mode().unwrap_or(0) & TYPE_MASK, 0 | REGULAR);
        let name = String::from_utf8_lossy(entry.name_raw()).replace('\\', "/");
        if is_plain && !name.ends_with('/') && !name.split('/').any(|part| is_of_macos(part.as_bytes())) {
            names.push((name.trim_start_matches("./").to_owned(), place));
        }
    }
    Ok(names)
}

/// Describes an error of the zip library for contestants.
fn told(error: &ZipError) -> String {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => {
            "it is encrypted; pack it without".to_owned()
        }
        ZipError::CompressionMethodNotSupported(method) => {
            format!("it is compressed with method {method}; use deflate, the usual one")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::package::{Format, PackageLimits, TimeLimit};

    fn package(tests: &[&str]) -> Package {
        let limits = PackageLimits {
            time: TimeLimit::Fixed(std::time::Duration::from_secs(1)),
            wall: None,
            memory: Bytes::mib(64),
            output: Bytes::mib(8),
            code: Bytes::mib(1),
            processes: None,
            compilation_time: None,
            compilation_memory: None,
        };
        let tests = tests.iter().map(|name| Test::new(*name, "x".into(), "y".into())).collect();
        Package { tests, ..Package::new("p", "/p".into(), Format::KattisLegacy, limits) }
    }

    fn sources(names: &[&str]) -> Vec<Source> {
        names
            .iter()
            .map(|name| Source { name: (*name).to_owned(), bytes: name.as_bytes().to_vec() })
            .collect()
    }

    fn zip(files: &[(&str, &[u8])]) -> Vec<Source> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in files {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(content).unwrap();
        }
        vec![Source { name: "all.zip".to_owned(), bytes: writer.finish().unwrap().into_inner() }]
    }

    fn given(answers: &Answers<'_>, package: &Package, limit: u64) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let one = |test: &Test| match answers.of(test, Bytes(limit), directory.path()).unwrap() {
            Answer::Given(mut capture) => capture.head(100).unwrap(),
            Answer::TooLarge => "too large".to_owned(),
            Answer::Missing => "missing".to_owned(),
            Answer::Broken(_) => "broken".to_owned(),
        };
        package.tests.iter().map(one).collect()
    }

    fn of_files(tests: &[&str], files: &[&str]) -> Vec<String> {
        let (package, sources) = (package(tests), sources(files));
        given(&Answers::new(&package, &sources).unwrap(), &package, 100)
    }

    #[test]
    fn names_say_which_test_a_file_is_for() {
        for (tests, files, expected) in [
            (&["secret/01", "secret/02"][..], &["02.out", "01.ans"][..], &["01.ans", "02.out"][..]),
            (&["secret/01", "secret/02"], &["02.out"], &["missing", "02.out"]),
            (&["secret/01", "secret/02"], &["01", "01.txt", "01.out"], &["01.out", "missing"]),
            (
                &["input0", "input1"],
                &["output_001.txt", "output_000.txt"],
                &["output_000.txt", "output_001.txt"],
            ),
            (&["secret/a/1", "secret/b/1"], &["1.out"], &["missing", "missing"]),
            (&["secret/a/1", "secret/b/1"], &["secret/b/1.out", "a/1.out"], &["a/1.out", "secret/b/1.out"]),
            (&["secret/a/1", "secret/b/1"], &["mine/secret/b/1.out"], &["missing", "mine/secret/b/1.out"]),
            (&["sample/1", "secret/1"], &["1.out"], &["missing", "1.out"]),
            (&["sample/1", "secret/1"], &["1.out", "sample/1.out"], &["sample/1.out", "1.out"]),
            (&["only"], &["whatever.dat"], &["whatever.dat"]),
            (&["1", "01"], &["001.out"], &["missing", "missing"]),
        ] {
            assert_eq!(of_files(tests, files), expected, "{files:?}");
        }
    }

    #[test]
    fn an_archive_is_as_good_as_its_files() {
        let package = package(&["secret/1", "secret/2", "secret/3"]);
        let archive = zip(&[
            ("answers/1.out", b"one"),
            ("./2.out", b"two"),
            ("__MACOSX/3.out", b"no"),
            ("folder/", b""),
        ]);
        let answers = Answers::new(&package, &archive).unwrap();
        assert_eq!(given(&answers, &package, 3), ["one", "two", "missing"]);
        assert_eq!(given(&answers, &package, 2), ["too large", "too large", "missing"]);
        let empty = zip(&[]);
        assert_eq!(given(&Answers::new(&package, &empty).unwrap(), &package, 9), ["missing"; 3]);
    }

    #[test]
    fn of_an_archive_that_unpacks_to_more_only_the_limit_is_read() {
        let package = package(&["secret/1"]);
        let archive = zip(&[("1.out", &vec![b'x'; 8 << 20])]);
        assert!(archive[0].bytes.len() < 100_000);
        let answers = Answers::new(&package, &archive).unwrap();
        assert_eq!(given(&answers, &package, 1000), ["too large"]);
    }

    #[test]
    fn an_archive_of_too_many_entries_is_refused_unread() {
        let package = package(&["secret/1"]);
        let mut bytes = MAGIC[0].to_vec();
        bytes.extend(DIRECTORY_ENTRY.repeat(ENTRIES + ENTRIES_A_TEST + 1));
        let archive = [Source { name: "a.zip".to_owned(), bytes }];
        let error = Answers::new(&package, &archive).unwrap_err();
        assert!(error.to_string().contains("more than 1004 entries"), "{error}");
    }

    #[test]
    fn broken_archives_are_told_and_never_panic() {
        let package = package(&["secret/1"]);
        let whole = zip(&[("1.out", b"one"), ("2.out", b"two")]).remove(0).bytes;
        for end in 4..whole.len() {
            let cut = [Source { name: "a.zip".to_owned(), bytes: whole[..end].to_vec() }];
            assert!(Answers::new(&package, &cut).is_err(), "{end}");
        }
        for place in 4..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 0xff;
            let changed = [Source { name: "a.zip".to_owned(), bytes }];
            if let Ok(answers) = Answers::new(&package, &changed) {
                let _ = given(&answers, &package, 100);
            }
        }
    }
}
