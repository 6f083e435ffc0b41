//! Parses `generators/generators.yaml`: the tests, and the source of each.
//!
//! Read as BAPCtools' `generate.py` does: tests in lists are numbered over the whole file, those in maps come in order of
//! their names, and a seed is a hash of the salt and the command.

use std::collections::HashMap;

use super::case::{Case, CaseReader, Settings, Solution, find, settings};
use super::numbering::{
    ROOTS, check_name, count_numbered, counts, data_of, is_case, joined, numbered, ordered, padding,
};
use crate::nearest::nearest;
use crate::package::shared::constants::Constants;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::yaml;
use crate::package::source::yaml::{Node, Value};

/// Greatest number of tests.
const MOST_TESTS: usize = 50_000;
/// Bytes of all commands and texts together: a text can be included in many folders, a command be counted.
const MOST_BYTES: usize = 64 << 20;
/// Folders within folders.
const MOST_DEPTH: usize = 16;
/// Files of settings of a folder; older ones were called `testdata.yaml`.
const SETTINGS: [&str; 2] = ["test_group.yaml", "testdata.yaml"];
/// Keys of folders besides; of some there was once more to say.
const FOLDER_KEYS: &[&str] = &[
    "data",
    "include",
    "solution",
    "random_salt",
    "retries",
    "generators",
    "version",
    "type",
    "visualizer",
    "gitignore_generated",
    "parallel",
];

/// The content of the file.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// Tests, and inputs and outputs for verification.
    pub(super) cases: Vec<Case>,
    /// Settings of folders: path below `data`, file name, content.
    pub(super) settings: Vec<(String, &'static str, Node)>,
    /// Generators of several files, by name; the first file is the entry point.
    pub(super) generators: HashMap<String, Vec<String>>,
    /// Things without effect, with their line.
    pub(super) warnings: Vec<String>,
}

/// A name that `include` may refer to.
#[derive(Debug, Clone)]
enum Known {
    Case(usize),
    Folder(usize),
}

struct Reader<'a> {
    cases: CaseReader<'a>,
    rules: Rules,
    known: HashMap<String, Vec<Known>>,
    /// Cases below a folder with those that it includes, by the folder's number.
    below: Vec<Vec<usize>>,
    /// Cases by their path.
    places: HashMap<String, usize>,
    next_case: usize,
    width: usize,
    /// Bytes of commands and texts of all cases.
    bytes: usize,
}

/// Reads the file; `constants` stand in commands.
///
/// # Errors
/// When it is not the YAML expected, a rule makes no input, or an `include` names nothing.
pub(super) fn parse(text: &str, constants: &Constants) -> Result<Rules, PackageError> {
    let (root, duplicates) = yaml::parse_with_duplicates(text)?;
    // Of two tests of one name the first would be lost.
    if let Some((line, key)) = duplicates.first() {
        let problem = "it is there twice";
        return Err(PackageError::value(*line, &one_line(key), problem, "give each its own name"));
    }
    let map = root.map("")?;
    let total = count_numbered(map);
    let mut reader = Reader {
        cases: CaseReader { constants, warnings: Vec::new() },
        rules: Rules::default(),
        known: HashMap::new(),
        below: Vec::new(),
        places: HashMap::new(),
        next_case: 1,
        width: total.to_string().len(),
        bytes: 0,
    };
    if let Some(node) = find(map, "generators") {
        for (name, node) in node.map("generators")? {
            let key = format!("generators.{}", one_line(name));
            let files = node.texts(&key)?;
            if files.is_empty() {
                return Err(PackageError::value(node.line, &key, "it has no files", "list its files"));
            }
            reader.rules.generators.insert(name.clone(), files);
        }
    }
    let config = Settings { solution: Solution::Unspecified, salt: String::new(), retries: 1 };
    reader.folder(map, "", &config, 0)?;
    reader.rules.warnings = reader.cases.warnings;
    Ok(reader.rules)
}

impl Reader<'_> {
    /// Reads a folder with all in it; its number in `below`.
    fn folder(
        &mut self,
        map: &[(String, Node)],
        path: &str,
        above: &Settings,
        depth: usize,
    ) -> Result<usize, PackageError> {
        let shown = if path.is_empty() { "data" } else { path };
        if depth > MOST_DEPTH {
            let problem = format!("folders are nested more than {MOST_DEPTH} deep");
            return Err(PackageError::value(0, shown, problem, "flatten them"));
        }
        let config = settings(map, shown, above)?;
        self.warn_of_unknown(map, shown, path.is_empty());
        for name in SETTINGS {
            if let Some(node) = find(map, name).filter(|node| !matches!(node.value, Value::Null)) {
                self.rules.settings.push((path.to_owned(), name, node.clone()));
            }
        }
        let included = self.included(map, shown)?;
        let (maps, is_numbered) = data_of(map)?;
        if is_numbered && path.is_empty() {
            let line = find(map, "data").map_or(0, |node| node.line);
            let problem = "it is a list, in which folders get numbers before their names";
            return Err(PackageError::value(line, shown, problem, "give sample and secret as keys of a map"));
        }
        let groups = maps.iter().flat_map(|map| map.iter()).filter(|(_, node)| !is_case(node)).count();
        let mut next_group = 1;
        let mut own = Vec::new();
        for map in maps {
            if is_numbered && map.len() != 1 {
                let line = map.first().map_or(0, |(_, node)| node.line);
                let problem = format!("an entry of its list has {} keys", map.len());
                return Err(PackageError::value(line, shown, problem, "give each test an entry of its own"));
            }
            for (key, node) in ordered(map, path.is_empty()) {
                let number = if is_case(node) { None } else { Some(next_group) };
                next_group += usize::from(number.is_some());
                let name = match (is_numbered, number) {
                    (true, Some(number)) => numbered(number, groups.to_string().len(), key),
                    _ => key.clone(),
                };
                // In lists a number is name enough.
                if !(is_numbered && key.is_empty()) {
                    check_name(key, node.line, shown)?;
                }
                match number {
                    Some(_) => {
                        let inner = node.map(shown)?;
                        let folder = self.folder(inner, &joined(path, &name), &config, depth + 1)?;
                        own.extend(self.below.get(folder).into_iter().flatten().copied());
                        self.known.entry(key.clone()).or_default().push(Known::Folder(folder));
                    }
                    None => own.extend(self.cases(node, key, path, is_numbered, &config)?),
                }
            }
        }
        for case in included {
            own.extend(self.include(case, path)?);
        }
        self.below.push(own);
        Ok(self.below.len() - 1)
    }

    fn warn_of_unknown(&mut self, map: &[(String, Node)], shown: &str, is_root: bool) {
        let known = || FOLDER_KEYS.iter().copied().chain(SETTINGS);
        for (key, node) in map.iter().filter(|(key, _)| !known().any(|known| known == key)) {
            self.cases.unknown(shown, key, node, nearest(key, known()));
        }
        let Some(Value::Map(roots)) = find(map, "data").filter(|_| is_root).map(|node| &node.value) else {
            return;
        };
        for (key, node) in roots.iter().filter(|(key, _)| !ROOTS.contains(&key.as_str())) {
            self.cases.unknown("data", key, node, nearest(key, ROOTS.iter().copied()));
        }
    }

    /// Cases that a folder includes: those of a test or a folder that came before it.
    fn included(&self, map: &[(String, Node)], shown: &str) -> Result<Vec<usize>, PackageError> {
        let Some(node) = find(map, "include") else { return Ok(Vec::new()) };
        let key = format!("{shown}.include");
        let mut cases = Vec::new();
        for name in node.texts(&key)? {
            let wrong = |problem: &str| {
                let problem = format!("'{}' {problem}", one_line(&name));
                PackageError::value(node.line, &key, problem, "name one test or folder that comes before it")
            };
            match self.known.get(&name).map(Vec::as_slice) {
                None | Some([]) => return Err(wrong("is not a test or folder")),
                Some([Known::Case(case)]) => cases.push(*case),
                Some([Known::Folder(folder)]) => {
                    cases.extend(self.below.get(*folder).into_iter().flatten().copied());
                }
                Some(_) => return Err(wrong("stands for several")),
            }
        }
        Ok(cases)
    }

    /// Puts a case of another folder into this one, too; none where it is there already.
    fn include(&mut self, case: usize, path: &str) -> Result<Option<usize>, PackageError> {
        let Some(known) = self.rules.cases.get(case) else { return Ok(None) };
        let name = known.path.rsplit('/').next().unwrap_or(&known.path);
        check_name(name, known.line, path)?;
        let target = joined(path, name);
        match self.places.get(&target).and_then(|place| self.rules.cases.get(*place)) {
            None => {
                let included = Case { path: target, ..known.clone() };
                self.push(included).map(Some)
            }
            Some(other) if other.line == known.line => Ok(None),
            Some(other) => {
                let problem = format!("'{}' is there already", one_line(&target));
                Err(PackageError::value(other.line, "include", problem, "give the tests different names"))
            }
        }
    }

    fn push(&mut self, case: Case) -> Result<usize, PackageError> {
        if self.rules.cases.len() >= MOST_TESTS {
            let problem = format!("there are more than {MOST_TESTS} tests");
            return Err(PackageError::value(case.line, "data", problem, "make fewer"));
        }
        self.bytes += case.bytes();
        if self.bytes > MOST_BYTES {
            let problem =
                format!("commands and texts of its tests have more than {} MiB in all", MOST_BYTES >> 20);
            let remedy = "put the texts into files and copy them, or make fewer tests";
            return Err(PackageError::value(case.line, "data", problem, remedy));
        }
        self.places.insert(case.path.clone(), self.rules.cases.len());
        self.rules.cases.push(case);
        Ok(self.rules.cases.len() - 1)
    }

    /// The cases of one rule.
    fn cases(
        &mut self,
        node: &Node,
        key: &str,
        above: &str,
        is_numbered: bool,
        config: &Settings,
    ) -> Result<Vec<usize>, PackageError> {
        let counts = counts(node, key)?;
        let padding = padding(counts.as_deref().unwrap_or_default());
        let values = match &counts {
            Some(counts) => counts.iter().map(|count| Some(*count)).collect(),
            None => vec![None],
        };
        let mut cases = Vec::new();
        for count in values {
            let mut name = key.to_owned();
            if is_numbered {
                name = numbered(self.next_case, self.width, key);
                self.next_case += 1;
            }
            if let Some(count) = count {
                name = format!("{name}-{count:0padding$}");
            }
            let path = joined(above, &name);
            if self.places.contains_key(&path) {
                let problem = format!("'{}' is there already", one_line(&path));
                return Err(PackageError::value(node.line, above, problem, "give the tests different names"));
            }
            let Some(case) = self.cases.case(node, path, count, config)? else { continue };
            let place = self.push(case)?;
            self.known.entry(key.to_owned()).or_default().push(Known::Case(place));
            cases.push(place);
        }
        Ok(cases)
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha512};

    use super::*;
    use crate::package::model::GeneratedInput;

    fn rules(text: &str) -> Rules {
        parse(text, &Constants::default()).unwrap()
    }

    fn attempts_of(rules: &Rules, case: usize) -> Vec<Vec<String>> {
        let run = rules.cases[case].generate.clone().unwrap();
        let input =
            GeneratedInput { arguments: run.arguments, seeds: run.seeds, ..GeneratedInput::default() };
        (0..input.attempts()).map(|attempt| input.arguments_of(attempt)).collect()
    }

    fn paths(rules: &Rules) -> Vec<&str> {
        rules.cases.iter().map(|case| case.path.as_str()).collect()
    }

    #[test]
    fn lists_number_their_tests_over_the_whole_file() {
        let rules = rules(
            "data:\n  secret:\n    data:\n    - small: gen 1\n    - '': {in: '3'}\n    - many: {generate: 'gen {count}', count: 8}\n  sample:\n    data:\n    - a: {in: x}\n",
        );
        let names = paths(&rules);
        assert_eq!(names[..4], ["sample/01-a", "secret/02-small", "secret/03", "secret/04-many-1"]);
        assert_eq!((names.len(), names[10]), (11, "secret/11-many-8"));
        assert_eq!(attempts_of(&rules, 10), [["8"]]);
        assert_eq!(rules.cases[2].texts, [("in", "3\n".to_owned())]);
    }

    #[test]
    fn maps_are_in_order_of_their_names_and_folders_are_numbered_apart() {
        let rules = rules(
            "data:\n  secret:\n    data:\n    - big:\n        data: {b: gen 2, a: gen 1}\n    - last:\n        data:\n        - c: gen 3\n",
        );
        assert_eq!(paths(&rules), ["secret/1-big/a", "secret/1-big/b", "secret/2-last/1-c"]);
    }

    #[test]
    fn counts_come_as_lists_and_ranges() {
        let name = |count: &str| {
            let text = format!("data:\n  secret:\n    data:\n      x: {{generate: g, count: {count}}}\n");
            paths(&rules(&text)).join(" ")
        };
        assert_eq!(name("2"), "secret/x-1 secret/x-2");
        assert_eq!(name("[7, -3]"), "secret/x-7 secret/x--3");
        assert_eq!(name("9..=11"), "secret/x-09 secret/x-10 secret/x-11");
        assert_eq!(name("-1..=1"), "secret/x--1 secret/x-00 secret/x-01");
    }

    #[test]
    fn seeds_are_those_of_bapctools() {
        // int(hashlib.sha512(text).hexdigest(), 16) % 2**31
        let attempts = |more: &str, command: &str| {
            let text = format!("{more}data:\n  secret:\n    data:\n      x: {command}\n");
            attempts_of(&rules(&text), 0)
        };
        let plain = attempts("", "stdout.py {seed}")[0][0].parse::<u64>().unwrap();
        let hash = |text: &str| {
            let digest = Sha512::digest(text.as_bytes());
            digest.iter().fold(0_u64, |rest, byte| (rest * 256 + u64::from(*byte)) % (1 << 31))
        };
        assert_eq!(plain, hash("stdout.py {seed}"));
        let salted = attempts("random_salt: bob\nretries: 2\n", "'gen a={seed:42} {name}.x'");
        let seed = hash("bobgen a={seed:42} {name}.x");
        let expected =
            [seed, (seed + 1) % (1 << 31)].map(|seed| [format!("a={seed}"), "testcase.x".to_owned()]);
        assert_eq!(salted, expected);
    }

    #[test]
    fn a_small_file_does_not_become_a_large_one() {
        // Arguments are the same for all attempts but for the seed.
        let long = "x".repeat(1000);
        let text = format!(
            "retries: 1000\ndata:\n  secret:\n    data: {{x: {{generate: 'g {long} {{seed}}', count: 100}}}}\n"
        );
        let rules = rules(&text);
        assert!(rules.cases.iter().map(Case::bytes).sum::<usize>() < 1 << 18);
        assert_eq!(attempts_of(&rules, 99).len(), 1000);
    }

    #[test]
    fn folders_include_what_came_before_them() {
        let rules = rules(
            "solution: /s.py\ndata:\n  sample:\n    data: {a: {in: x}, b: {in: y, solution: }}\n  secret:\n    include: [sample]\n    data:\n    - g:\n        include: [a]\n        data: {z: gen}\n",
        );
        let names = paths(&rules);
        assert_eq!(names, ["sample/a", "sample/b", "secret/1-g/z", "secret/1-g/a", "secret/a", "secret/b"]);
        assert_eq!(rules.cases[3].solution, Solution::Program("s.py".to_owned()));
        assert_eq!(rules.cases[5].solution, Solution::None);
    }

    #[test]
    fn keys_that_are_no_names_are_refused_wherever_they_stand() {
        let bad =
            ["../../../x", "/tmp/x", "..", ".", ".b", "a/b", "a\\\\b", "a\\0b", "a\\nb", &"x".repeat(201)];
        let shapes = [
            "data:\n  secret:\n    data: {\"KEY\": g 1}\n",
            "data:\n  secret:\n    data: {\"KEY\": {in: '1', ans: '2'}}\n",
            "data:\n  secret:\n    data: {\"KEY\": {copy: a}}\n",
            "data:\n  secret:\n    data: {\"KEY\": {generate: g, count: 2}}\n",
            "data:\n  secret:\n    data:\n    - \"KEY\": g 1\n",
            "data:\n  secret:\n    data: {\"KEY\": {data: {a: g 1}}}\n",
            "data:\n  secret:\n    data: {\"KEY\": {test_group.yaml: {}}}\n",
            "data:\n  secret:\n    data:\n    - \"KEY\": {data: {a: g 1}}\n",
            "data:\n  sample:\n    data: {\"KEY\": g 1}\n  secret:\n    include: [\"KEY\"]\n",
        ];
        for (key, shape) in bad.iter().flat_map(|key| shapes.map(|shape| (key, shape))) {
            let text = shape.replace("KEY", key);
            let error = parse(&text, &Constants::default()).unwrap_err();
            let (_, line, place) = error.place();
            assert!(line.is_some() && !place.is_empty(), "{text}: {error}");
            assert!(error.to_string().contains("name it with letters"), "{text}: {error}");
        }
        let error = parse("data: [{secret: {data: {a: g}}}]\n", &Constants::default()).unwrap_err();
        assert!(error.to_string().contains("data: it is a list"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_named_with_line_and_key() {
        for (text, expected) in [
            ("data:\n  secret:\n    data: {x: {ans: '1'}}\n", "secret/x: nothing makes its input"),
            ("data:\n  secret:\n    data: {x: }\n", "secret/x: there is no command"),
            ("data:\n  secret:\n    data: {x: 'g {seed} {seed:1}'}\n", "{seed} stands in it twice"),
            ("data:\n  secret:\n    data: {x: {in: 5}}\n", "secret/x.in: it is not text"),
            ("data:\n  secret:\n    data: {x: {generate: g, count: 0}}\n", "x.count: it is not a count"),
            (
                "data:\n  secret:\n    data: {x: {generate: g, count: 1..=900}}\n",
                "x.count: it is not a count",
            ),
            ("data:\n  secret:\n    include: [y]\n", "secret.include: 'y' is not a test or folder"),
            ("solution: s.py\n", "data.solution: 's.py' is not a path from the package"),
            ("data:\n  secret:\n    data:\n    - {a: g, b: g}\n", "an entry of its list has 2 keys"),
            ("generators: {g: []}\n", "generators.g: it has no files"),
            ("data:\n  secret:\n    data: {x: g 1, x: g 2}\n", "it is there twice"),
            ("retries: 0\n", "data.retries: it is out of range"),
        ] {
            let error = parse(text, &Constants::default()).unwrap_err().to_string();
            assert!(error.contains(expected), "{expected}: {error}");
        }
        let unknown =
            rules("solutoin: /s.py\ndata:\n  secrets: {}\n  secret:\n    data: {x: {in: y, generat: g}}\n");
        assert_eq!(unknown.warnings.len(), 3, "{:?}", unknown.warnings);
        assert!(
            unknown.warnings[0]
                .contains("data.solutoin: an unknown key is ignored: did you mean 'solution'?")
        );
    }
}
