//! Packages whose tests are made by their own generators and solutions first, judged as they come from a repository.

use std::path::{Path, PathBuf};

use crate::common::gate::Gate;
use crate::common::{Scene, text, verdicts};
use serde_json::Value;

/// Prints the sum of all its arguments and the number 10, an integer a line; fails on `bad`.
const GENERATOR: &str = "import sys\nif 'bad' in sys.argv:\n    sys.exit('no such size')\nprint(10)\nfor word in sys.argv[1:]:\n    print(word)\n";
/// The sum of all numbers read.
const SOLUTION: &str = "import sys\nprint(sum(map(int, sys.stdin.read().split())))\n";
/// Right where there are at most two numbers.
const LAZY: &str = "import sys\nprint(sum(map(int, sys.stdin.read().split()[:2])))\n";

struct Problem {
    scene: Scene,
    root: PathBuf,
}

impl Problem {
    fn new(files: &[(&str, &str)]) -> Self {
        let scene = Scene::new();
        let root = scene.path("problem");
        let problem = Self { scene, root };
        files.iter().for_each(|(name, content)| problem.write(name, content));
        problem
    }

    fn write(&self, name: &str, content: &str) {
        self.scene.write(&format!("problem/{name}"), content);
    }

    /// What a Python program gets.
    fn judge(&self, program: &str) -> Value {
        let source = self.scene.write("program.py", program);
        self.scene.report(&[text(&self.root), text(&source)])
    }

    /// All files below the package, which no judging may add to.
    fn files(&self) -> Vec<PathBuf> {
        fn below(directory: &Path, found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { below(&path, found) } else { found.push(path) }
            }
        }
        let mut found = Vec::new();
        below(&self.root, &mut found);
        found.sort();
        found
    }

    /// The message of the JE that every program gets.
    fn failure(&self) -> String {
        let report = self.judge(SOLUTION);
        assert_eq!(report["verdict"], "JE", "{report}");
        report["error"].as_str().unwrap().to_owned()
    }
}

fn cms(list: &str) -> Problem {
    Problem::new(&[
        ("task.yaml", "name: sums\ntitle: Sums\ntime_limit: 5\nmemory_limit: 256\ninfile: ''\noutfile: ''\n"),
        ("gen/GEN", list),
        ("gen/generator.py", GENERATOR),
        ("gen/validator.py", "import sys\nassert all(int(line) > 0 for line in open(sys.argv[1]))\n"),
        ("gen/sample.txt", "1\n2\n"),
        ("sol/solution.py", SOLUTION),
    ])
}

#[test]
fn a_cms_task_is_judged_on_the_tests_of_its_list() {
    let problem = cms("#ST: 40\n#COPY: gen/sample.txt\n5\n#ST: 60\n5 6\n7 8 9\n");
    let before = problem.files();
    let right = problem.judge(SOLUTION);
    assert_eq!((&right["verdict"], right["score"].as_f64()), (&Value::from("AC"), Some(100.0)), "{right}");
    let lazy = problem.judge(LAZY);
    assert_eq!((&lazy["verdict"], lazy["score"].as_f64()), (&Value::from("WA"), Some(40.0)), "{lazy}");
    assert_eq!(verdicts(&lazy)[..2], ["AC", "AC"]);
    assert_eq!(problem.files(), before, "nothing is written into the package");
    assert_eq!(right["provenance"]["package"], lazy["provenance"]["package"]);
    let verified = problem.scene.say(&["verify", text(&problem.root)]);
    assert_eq!(verified.code, 0, "{verified:?}");
    assert!(verified.stdout.contains("gen/validator.py"), "{verified:?}");
}

#[test]
fn what_was_generated_is_kept() {
    let problem = cms("5\n");
    problem.write("gen/generator.py", "import os\nprint(int.from_bytes(os.urandom(4), 'big') + 1)\n");
    let first = problem.judge(SOLUTION);
    let second = problem.judge(SOLUTION);
    assert_eq!(first["provenance"]["package"], second["provenance"]["package"], "the input is the same");
    problem.write("sol/solution.py", &format!("# changed\n{SOLUTION}"));
    let third = problem.judge(SOLUTION);
    assert_ne!(first["provenance"]["package"], third["provenance"]["package"], "all is made anew");
}

#[test]
fn a_generator_that_fails_is_named_with_file_line_and_command() {
    let message = cms("5\nbad\n").failure();
    for part in ["gen/GEN:2: 'bad'", "generator 'gen/generator.py'", "exited with code 1: no such size"] {
        assert!(message.contains(part), "'{part}' in {message}");
    }
    let problem = cms("5\n");
    problem.write("sol/solution.py", "raise SystemExit('unsolved')\n");
    let message = problem.failure();
    assert!(message.contains("solution 'sol/solution.py'") && message.contains("unsolved"), "{message}");
    let problem = cms("5\n");
    problem.write("gen/generator.py", "def\n");
    assert!(problem.failure().contains("generator 'gen/generator.py'"));
}

#[test]
fn solutions_of_tasks_with_files_read_and_write_them() {
    let problem = cms("5\n6\n");
    problem.write("task.yaml", "name: sums\ntitle: Sums\ntime_limit: 5\nmemory_limit: 256\n");
    let files =
        "n = sum(map(int, open('input.txt').read().split()))\nopen('output.txt', 'w').write(f'{n}\\n')\n";
    problem.write("sol/solution.py", files);
    let report = problem.judge(files);
    assert_eq!(verdicts(&report), ["AC", "AC"], "{report}");
    problem.write("sol/solution.py", SOLUTION);
    let report = problem.judge(files);
    assert_eq!(verdicts(&report), ["AC", "AC"], "a solution may keep to the standard streams: {report}");
    problem.write("sol/solution.py", "pass\n");
    assert!(problem.failure().contains("neither 'output.txt' nor anything"));
}

const XML: &str = r#"<problem short-name="sums">
<judging input-file="" output-file="">
<testset name="tests">
<time-limit>5000</time-limit>
<memory-limit>268435456</memory-limit>
<test-count>4</test-count>
<input-path-pattern>tests/%02d</input-path-pattern>
<answer-path-pattern>tests/%02d.a</answer-path-pattern>
<tests>
<test method="manual" sample="true"/>
<test cmd="gen 5" method="generated"/>
<test cmd="many 3 7" from-file="3" method="generated"/>
<test cmd="many 3 7" from-file="7" method="generated"/>
</tests>
</testset>
</judging>
<files><executables>
<executable><source path="files/gen.py" type="python.3"/></executable>
<executable><source path="files/many.py" type="python.3"/></executable>
</executables></files>
<assets>
<checker name="std::ncmp.cpp" type="testlib"><source path="files/check.cpp" type="cpp.g++17"/></checker>
INTERACTOR
<solutions><solution tag="main"><source path="solutions/main.py" type="python.3"/></solution></solutions>
</assets>
</problem>
"#;

/// Writes a file for each of its arguments, named like Polygon's tests.
const MANY: &str =
    "import sys\nfor n in map(int, sys.argv[1:]):\n    open(f'{n:02}', 'w').write('1\\n' * n)\n";

fn polygon(xml: &str, solution: &str) -> Problem {
    Problem::new(&[
        ("problem.xml", xml),
        ("tests/01", "1\n2\n"),
        ("files/gen.py", GENERATOR),
        ("files/many.py", MANY),
        ("files/check.cpp", ""),
        ("solutions/main.py", solution),
    ])
}

#[test]
fn a_standard_package_of_polygon_is_judged_on_what_its_commands_make() {
    let problem = polygon(&XML.replace("INTERACTOR", ""), SOLUTION);
    let before = problem.files();
    let right = problem.judge(SOLUTION);
    assert_eq!(verdicts(&right), ["AC"; 4], "{right}");
    let lazy = problem.judge(LAZY);
    assert_eq!(verdicts(&lazy)[..3], ["AC", "AC", "WA"], "{lazy}");
    assert_eq!(problem.files(), before, "nothing is written into the package");
    let broken =
        polygon(&XML.replace("INTERACTOR", "").replace("from-file=\"7\"", "from-file=\"8\""), SOLUTION);
    let message = broken.failure();
    assert!(message.contains("problem.xml:13: 'many 3 7'") && message.contains("no file '8'"), "{message}");
}

#[test]
fn answers_of_interactive_problems_are_what_the_interactor_writes() {
    let interactor = "import sys\nn = sum(map(int, open(sys.argv[1]).read().split()))\nprint(n, flush=True)\n\
                      said = int(input())\nopen(sys.argv[2], 'w').write(f'{said}\\n')\n";
    let element = "<interactor><source path=\"files/talk.py\" type=\"python.3\"/></interactor>";
    let double = "print(2 * int(input()))\n";
    let problem = polygon(&XML.replace("INTERACTOR", element), double);
    problem.write("files/talk.py", interactor);
    let right = problem.judge(double);
    assert_eq!(verdicts(&right), ["AC"; 4], "{right}");
    let wrong = problem.judge("print(3 * int(input()))\n");
    assert_eq!(verdicts(&wrong)[..1], ["WA"], "the answer holds what the main solution said: {wrong}");
    problem.write("solutions/main.py", "raise SystemExit(3)\n");
    let message = problem.failure();
    assert!(message.contains("exited with code"), "{message}");
}

const RULES: &str = "solution: /submissions/accepted/right.py
random_salt: abc
generators:
  both: [both.py, lib.py]
data:
  sample:
    data:
    - '': {in: '1 2'}
    - '': {in: '3', ans: '3'}
  secret:
    data:
    - small: numbers.py 5
    - counted:
        generate: numbers.py {count} {{LARGE}}
        count: 2
    - copied: {copy: manual/one}
    - both: both {seed:1} {name}
    - group:
        data:
          inner: numbers.py 7 8 9
    include: [sample]
";

/// Writes input and answer itself.
const BOTH: &str = "import sys\nfrom lib import number\nn = number(sys.argv[1])\nopen(f'{sys.argv[2]}.in', 'w').write(f'{n}\\n')\n\
                    open(f'{sys.argv[2]}.ans', 'w').write(f'{n}\\n')\n";

fn bapctools(version: &str, rules: &str) -> Problem {
    let yaml = format!(
        "{version}name: Sums\nuuid: 8ee7605a-26db-897d-15c8-b72d4e1bfcbb\nlimits: {{time_limit: 5}}\n"
    );
    let yaml = match version {
        "" => "name: Sums\n".to_owned(),
        _ => format!("{yaml}type: pass-fail\nconstants: {{LARGE: 1000}}\n"),
    };
    Problem::new(&[
        ("problem.yaml", &yaml),
        (".timelimit", if version.is_empty() { "5\n" } else { "" }),
        ("generators/generators.yaml", rules),
        ("generators/numbers.py", GENERATOR),
        ("generators/both.py", BOTH),
        ("generators/lib.py", "def number(text):\n    return int(text) % 50 + 1\n"),
        ("generators/manual/one.in", "1\n1\n1\n"),
        ("generators/manual/one.ans", "3\n"),
        ("submissions/accepted/right.py", SOLUTION),
        ("submissions/wrong_answer/lazy.py", LAZY),
    ])
}

#[test]
fn tests_of_bapctools_rules_are_generated_for_both_formats() {
    for (version, rules) in
        [("problem_format_version: 2025-09\n", RULES.to_owned()), ("", RULES.replace("{{LARGE}}", "1000"))]
    {
        let problem = bapctools(version, &rules);
        let before = problem.files();
        let right = problem.judge(SOLUTION);
        let tests = right["tests"].as_array().unwrap();
        let names: Vec<_> = tests.iter().map(|test| test["name"].as_str().unwrap()).collect();
        let expected = [
            "sample/1",
            "sample/2",
            "secret/1",
            "secret/1-group/inner",
            "secret/2",
            "secret/3-small",
            "secret/4-counted-1",
            "secret/5-counted-2",
            "secret/6-copied",
            "secret/7-both",
        ];
        let mut sorted = names.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, expected, "{right}");
        assert_eq!(right["verdict"], "AC", "{right}");
        let verified = problem.scene.say(&["verify", text(&problem.root)]);
        assert!(verified.stdout.contains("2 as expected, 0 not"), "{verified:?}");
        assert_eq!(problem.files(), before, "nothing is written into the package");
        let failing = bapctools(version, &rules.replace("numbers.py 5", "numbers.py bad"));
        let message = failing.failure();
        for part in ["generators/generators.yaml:12: 'numbers.py bad'", "secret/3-small", "no such size"] {
            assert!(message.contains(part), "'{part}' in {message}");
        }
    }
}

#[test]
fn tests_that_are_in_data_are_taken_as_they_are() {
    let problem = bapctools("problem_format_version: 2025-09\n", RULES);
    problem.write("data/secret/3-small.in", "4\n4\n");
    problem.write("data/secret/3-small.ans", "9\n");
    let report = problem.judge(SOLUTION);
    let small =
        report["tests"].as_array().unwrap().iter().find(|test| test["name"] == "secret/3-small").unwrap();
    assert_eq!(small["verdict"], "WA", "its answer is the package's own: {report}");
    let complete = bapctools("", "nonsense: [\n");
    complete.write("data/secret/1.in", "4\n");
    complete.write("data/secret/1.ans", "4\n");
    let report = complete.judge(SOLUTION);
    assert_eq!(verdicts(&report), ["AC"], "rules that are broken do not matter where tests are: {report}");
    let checked = complete.scene.say(&["package", "check", text(&complete.root)]);
    assert!(format!("{checked:?}").contains("generators/generators.yaml"), "{checked:?}");
}

#[test]
fn generators_have_as_many_attempts_as_the_rules_allow() {
    let rules = "solution: /submissions/accepted/right.py\nretries: 3\ndata:\n  secret:\n    data:\n      x: odd.py {seed}\n";
    let problem = bapctools("", rules);
    // Fails for the first seed, whatever that is.
    let odd = "import sys\nfirst = SEED\nassert int(sys.argv[1]) != first\nprint(int(sys.argv[1]) - first)\n";
    problem.write("generators/odd.py", &odd.replace("SEED", "int(sys.argv[1])"));
    let message = problem.failure();
    assert!(message.contains("AssertionError"), "{message}");
    let first = "import hashlib\nFIRST = int(hashlib.sha512(b'odd.py {seed}').hexdigest(), 16) % 2**31\n";
    problem.write("generators/odd.py", &format!("{first}{}", odd.replace("SEED", "FIRST")));
    let report = problem.judge("print(1)\n");
    assert_eq!(verdicts(&report), ["AC"], "the second attempt has the next seed: {report}");
}

#[test]
fn files_of_a_failed_attempt_are_not_kept() {
    let rules = "solution: /submissions/accepted/right.py\nretries: 3\ndata:\n  secret:\n    data:\n      x: odd.py {seed}\n";
    let problem = bapctools("", rules);
    let first = "import hashlib, os, sys\nfirst = int(hashlib.sha512(b'odd.py {seed}').hexdigest(), 16) % 2**31\nattempt = int(sys.argv[1]) - first\n";
    let wrong =
        "open('testcase.ans', 'w').write('77\\n')\nopen('testcase.in', 'w').write('7\\n')\nsys.exit(1)\n";
    let odd = format!("{first}if attempt == 0:\n    {}print(attempt)\n", wrong.replace("\n", "\n    "));
    problem.write("generators/odd.py", &odd.replace("    print(attempt)", "print(attempt)"));
    assert_eq!(verdicts(&problem.judge("print(1)\n")), ["AC"], "input and answer are of the second attempt");
    // As assert does in C++.
    let dies = format!("{first}if attempt == 0:\n    os.abort()\nprint(attempt)\n");
    problem.write("generators/odd.py", &dies);
    assert_eq!(verdicts(&problem.judge("print(1)\n")), ["AC"]);
}

#[test]
fn what_rules_name_and_is_not_there_is_refused() {
    for (old, new, expected) in [
        (
            "numbers.py 5",
            "none.py 5",
            "generators.yaml:12: generate: there is no program 'generators/none.py'",
        ),
        ("manual/one", "manual/two", "copy: there is no file 'generators/manual/two.in'"),
        ("manual/one", "../../../etc/hosts", "hosts.in' is not a path below the package"),
        ("manual/one", "/etc/hosts", "hosts.in' is not a path below the package"),
        ("/submissions/accepted/right.py", "/../right.py", "'../right.py' is not a path below the package"),
        (
            "/submissions/accepted/right.py",
            "/submissions/accepted/left.py",
            "there is no program 'submissions/accepted/left.py'",
        ),
        ("[both.py, lib.py]", "[both.py, none.py]", "there is no file 'generators/none.py'"),
    ] {
        let problem = bapctools("problem_format_version: 2025-09\n", &RULES.replace(old, new));
        let source = problem.scene.write("program.py", SOLUTION);
        let said = problem.scene.say(&["judge", text(&problem.root), text(&source)]);
        assert!(said.code != 0 && said.stderr.contains(expected), "{expected}: {said:?}");
    }
}

#[test]
fn rules_write_nothing_outside_of_the_cache_and_leave_no_test_out() {
    for version in ["", "problem_format_version: 2025-09\n"] {
        let problem = bapctools(version, RULES);
        let outside = problem.scene.path("outside");
        let depth = "../".repeat(40);
        let keys = [format!("{depth}{}", &text(&outside)[1..]), text(&outside).to_owned(), ".b".to_owned()];
        for key in keys {
            for rule in
                ["{in: '1', ans: '1'}", "numbers.py 5", "{copy: manual/one}", "{data: {a: numbers.py 5}}"]
            {
                let rules =
                    format!("data:\n  secret:\n    data:\n      good: numbers.py 6\n      '{key}': {rule}\n");
                problem.write("generators/generators.yaml", &rules);
                let source = problem.scene.write("program.py", SOLUTION);
                let said = problem.scene.say(&["judge", text(&problem.root), text(&source)]);
                let named = said.stderr.contains("generators.yaml:5: secret: '");
                assert!(said.code != 0 && named, "{rules}: {said:?}");
            }
        }
        for ending in ["", ".in", ".ans", "/a.in"] {
            assert!(!PathBuf::from(format!("{}{ending}", text(&outside))).exists(), "{ending}");
        }
        // The listing of a package does not show this folder, which archives of macOS have.
        let rules =
            "data:\n  secret:\n    data:\n      good: numbers.py 6\n      __MACOSX: {data: {a: RULE}}\n";
        for rule in ["numbers.py 5", "{in: '1', ans: '1'}"] {
            problem.write("generators/generators.yaml", &rules.replace("RULE", rule));
            let source = problem.scene.write("program.py", SOLUTION);
            let said = problem.scene.say(&["judge", text(&problem.root), text(&source)]);
            let named = said
                .stderr
                .contains("generators.yaml:5: the test data/secret/__MACOSX/a would not be judged");
            assert!(said.code != 0 && named, "{said:?}");
        }
    }
}

#[test]
fn texts_that_are_included_again_and_again_are_bounded() {
    let problem = bapctools("", "");
    let rules = |groups: usize| {
        let mut rules =
            format!("data:\n  secret:\n    data:\n      big: {{in: '{}', ans: '1'}}\n", "1".repeat(700_000));
        for group in 0..groups {
            rules.push_str(&format!(
                "      g{group}: {{data: {{a: {{in: '1', ans: '1'}}}}, include: [big]}}\n"
            ));
        }
        rules
    };
    problem.write("generators/generators.yaml", &rules(3));
    assert_eq!(problem.judge("print(1)\n")["tests"].as_array().unwrap().len(), 7);
    problem.write("generators/generators.yaml", &rules(100));
    let source = problem.scene.write("program.py", SOLUTION);
    let said = problem.scene.say(&["judge", text(&problem.root), text(&source)]);
    assert_ne!(said.code, 0, "{said:?}");
    assert!(
        said.stderr.contains("commands and texts of its tests have more than 64 MiB in all"),
        "{}",
        said.stderr
    );
}

/// Directories of made tests in the cache: those that are complete, and those that are being made.
fn made(scene: &Scene) -> (Vec<PathBuf>, Vec<PathBuf>) {
    fn below(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.file_name() == "content" {
                true => found.push(entry.path()),
                false => below(&entry.path(), found),
            }
        }
    }
    let mut found = Vec::new();
    below(&scene.path("cache"), &mut found);
    found.into_iter().partition(|path| !path.components().any(|part| part.as_os_str() == "drafts"))
}

#[test]
fn a_generation_killed_in_the_middle_leaves_nothing_half_made() {
    let problem = cms("5\nslow\n");
    let gate = Gate::new();
    let (command, mark) = ("sleep", gate.command().split_once(' ').unwrap().1.to_owned());
    let generator = format!(
        "import subprocess, sys\nif 'slow' in sys.argv: subprocess.run(['{command}', '{mark}'])\nprint(10)\nprint(5)\n"
    );
    problem.write("gen/generator.py", &generator);
    let source = problem.scene.write("program.py", SOLUTION);
    let start = || {
        let arguments = ["judge", text(&problem.root), text(&source), "--format", "json"];
        let mut command = problem.scene.gavel(&arguments);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap()
    };
    let mut processes: Vec<_> = (0..3).map(|_| start()).collect();
    gate.wait_for(1);
    let (complete, begun) = made(&problem.scene);
    assert!(complete.is_empty() && !begun.is_empty(), "{complete:?} {begun:?}");
    // Who waited for the first may have begun when it was gone, and is killed as well.
    for process in &mut processes {
        process.kill().unwrap();
    }
    for process in &mut processes {
        process.wait().unwrap();
    }
    gate.wait_until_left();
    assert!(made(&problem.scene).0.is_empty(), "nothing half-made counts as made");

    let again = start();
    gate.open();
    let report: Value = serde_json::from_slice(&again.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(verdicts(&report), ["AC", "AC"], "{report}");
    let (complete, begun) = made(&problem.scene);
    assert_eq!((complete.len(), begun.len()), (1, 0), "what the killed had begun is cleared: {begun:?}");
    assert_eq!(std::fs::read_dir(&complete[0]).unwrap().count(), 4, "two inputs and two answers");
    assert_eq!(problem.judge(SOLUTION)["verdict"], "AC", "made once");
}

#[test]
fn solutions_of_library_checker_include_the_headers_beside_them() {
    let right = "#include \"fast.hpp\"\nint main() { return fast(); }\n";
    let problem = Problem::new(&[
        (
            "info.toml",
            "timelimit = 2.0\n[[tests]]\nname = \"example.in\"\nnumber = 1\n[[solutions]]\nname = \"other.cpp\"\n",
        ),
        ("gen/example_00.in", "1\n"),
        ("checker.cpp", "int main() {}\n"),
        ("verifier.cpp", "int main() {}\n"),
        ("sol/correct.cpp", right),
        ("sol/other.cpp", right),
        ("sol/fast.hpp", "inline int fast() { return 0; }\n"),
    ]);
    let said = problem.scene.say(&["verify", text(&problem.root)]);
    // The rest of what verify says is about a checker that accepts everything.
    assert!(said.stdout.contains("2 submissions: 2 as expected, 0 not"), "{said:?}");
}
