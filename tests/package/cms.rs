//! Tasks in CMS's Italian format become tests, subtasks, programs and expectations as CMS's loader reads them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use gavel::checker::{Comparator, Protocol};
use gavel::package::{
    Aggregation, Channel, Check, GeneratedAnswer, Interaction, JuryProgram, LanguageHint, Package,
    PackageError, ProgramBuild, SubmissionKind, TimeLimit, ValidatorArguments, load,
};
use gavel::units::Bytes;
use gavel::verdict::Verdict;
use tempfile::TempDir;

struct Task(TempDir);

impl Task {
    fn new(yaml: &str, tests: usize) -> Self {
        let mut task = Self(tempfile::tempdir().unwrap()).file("task.yaml", yaml);
        for number in 0..tests {
            task = task
                .file(&format!("input/input{number}.txt"), "1\n")
                .file(&format!("output/output{number}.txt"), "1\n");
        }
        task
    }

    fn root(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn load(&self) -> Result<Package, PackageError> {
        load(&self.root())
    }

    fn refusal(&self) -> String {
        let error = self.load().unwrap_err();
        let text = error.to_string();
        assert!(!text.contains('\n') && text.contains("; ") && !error.is_ours(), "{text}");
        text
    }
}

const PLAIN: &str = "name: sums\ntitle: Sums\ntime_limit: 1.5\nmemory_limit: 64\n";

#[test]
fn a_list_of_tests_makes_subtasks() {
    let task = Task::new(&format!("{PLAIN}public_testcases: 0, 2\n"), 4)
        .file("gen/GEN", "#ST: 30\n#STNAME: few\n1\n2\n#ST: 70\n3\n#COPY: x\n");
    let package = task.load().unwrap();
    assert_eq!((package.name.as_str(), package.title.as_str()), ("sums", "Sums"));
    assert_eq!(package.limits.time, TimeLimit::Fixed(Duration::from_millis(1500)));
    assert_eq!(package.limits.memory, Bytes::mib(64));
    let names: Vec<_> =
        package.tests.iter().map(|test| (test.name.as_str(), test.groups.concat(), test.sample)).collect();
    let expected =
        [("000", "few", true), ("001", "few", false), ("002", "subtask1", true), ("003", "subtask1", false)];
    assert_eq!(names, expected.map(|(name, group, sample)| (name, group.to_owned(), sample)));
    let groups: Vec<_> =
        package.groups[1..].iter().map(|one| (one.weight, one.aggregation.clone())).collect();
    assert_eq!(groups, [(30.0, Aggregation::Min), (70.0, Aggregation::Min)]);
    assert_eq!(package.tests[0].check, Check::BuiltIn(Comparator::WhiteDiff));
    assert_eq!(package.streams.input_file.as_deref(), Some("input.txt"));
    assert!(package.warnings.is_empty(), "{:?}", package.warnings);
}

#[test]
fn tests_that_are_not_there_are_left_to_the_programs() {
    let task = Task::new(PLAIN, 1)
        .file("gen/GEN", "#ST: 30\n1 a\n#COPY: gen/two.txt\n#ST: 70\n3  b # last\n")
        .file("gen/two.txt", "2\n")
        .file("gen/generatore.py", "")
        .file("gen/limits.py", "")
        .file("gen/valida.py", "")
        .file("sol/grader.cpp", "int main() {}")
        .file("sol/soluzione.cpp", "");
    let package = task.load().unwrap();
    let made = package.generated.as_ref().unwrap();
    assert_eq!(made.tests.iter().map(|test| test.test).collect::<Vec<_>>(), [1, 2], "the first is there");
    assert_eq!(fs::read_to_string(&package.tests[1].input).unwrap(), "2\n");
    assert_eq!((&made.tests[0].input, &made.tests[0].answer), (&None, &Some(GeneratedAnswer::Solution(0))));
    assert_eq!(made.tests[1].input.as_ref().unwrap().arguments, ["3", "b"]);
    assert_eq!(made.tests[1].origin, "gen/GEN:5: '3  b'");
    let names =
        |program: &JuryProgram| program.files.iter().map(|file| file.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&made.generators[0]), ["generatore.py", "limits.py"]);
    assert_eq!(names(&made.solutions[0]), ["grader.cpp", "sums.cpp"]);
    assert!(made.data.iter().any(|file| file.name == "gen/two.txt"), "{:?}", made.data);
    let validator = &package.verification.input_validators[0];
    assert_eq!((validator.program.name.as_str(), validator.accepts), ("gen/valida.py", 0));
    assert_eq!(package.tests[2].validator_arguments, ValidatorArguments::All(vec!["2".to_owned()]));
    let talks = Task::new(PLAIN, 0)
        .file("gen/GEN", "1\n")
        .file("gen/generator.sh", "")
        .file("check/manager.cpp", "int main() {}");
    assert_eq!(talks.load().unwrap().generated.unwrap().tests[0].answer, Some(GeneratedAnswer::Empty));
}

#[test]
fn what_cannot_be_generated_is_refused_with_its_line() {
    let sources = [("gen/generator.py", ""), ("sol/solution.py", "")];
    for (list, missing, expected) in [
        ("# one\n7\n", "gen/generator.py", "gen/GEN:2: there is a test to be generated, and no generator"),
        ("7\n", "sol/solution.py", "sol: there are answers missing, and no model solution"),
        ("7\n#COPY: gen/none\n", "", "gen/GEN:2: COPY: there is no file 'gen/none'"),
        ("#COPY: ../../x\n", "", "gen/GEN:1: COPY: '../../x' is not a path below the package"),
        ("#COPY: /etc/hosts\n", "", "gen/GEN:1: COPY: '/etc/hosts' is not a path below the package"),
        ("#COPY: .//etc/hosts\n", "", "gen/GEN:1: COPY: './/etc/hosts' is not a path below the package"),
    ] {
        let task = Task::new(PLAIN, 0).file("gen/GEN", list);
        let there = sources.iter().filter(|(name, _)| *name != missing);
        let task = there.fold(task, |task, (name, text)| task.file(name, text));
        let text = task.refusal();
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let two =
        Task::new(PLAIN, 0).file("gen/GEN", "7\n").file("gen/generator.py", "").file("gen/generatore.sh", "");
    assert!(two.refusal().contains("gen/generator.py stands for the same"), "{}", two.refusal());
}

#[test]
fn score_types_of_the_task_hold_with_all_their_keys() {
    let yaml = format!(
        "{PLAIN}n_input: 4\nscore_type: GroupThreshold\nscore_type_parameters: [[40, '00[01]', 3], [60, '.*', 5]]\n"
    );
    let package = Task::new(&yaml, 4).load().unwrap();
    assert_eq!(package.groups[1].aggregation, Aggregation::Threshold(3.0));
    assert_eq!(package.tests[0].groups, ["subtask0", "subtask1"], "a test may stand in two");
    let yaml =
        format!("{PLAIN}n_input: 3\nscore_type: GroupMul\nscore_type_parameters: [[40, 1], [60, 2]]\n");
    let package = Task::new(&yaml, 3).load().unwrap();
    assert_eq!((package.groups[2].members.len(), &package.groups[2].aggregation), (2, &Aggregation::Product));
    let package = Task::new(&format!("{PLAIN}n_input: 4\nscore_type: Sum\nscore_type_parameters: 5\n"), 4)
        .load()
        .unwrap();
    assert_eq!(package.groups[0].members.len(), 4);
    let package = Task::new(&format!("{PLAIN}score_type: Sum\nn_input: 4\n"), 4).load().unwrap();
    assert!(package.warnings[0].contains("score_type: ignored"), "{:?}", package.warnings);
}

#[test]
fn graders_checkers_managers_and_answers_fill_the_model() {
    let task = Task::new(&format!("{PLAIN}n_input: 1\ninfile: ''\noutfile: ''\n"), 1)
        .file("sol/grader.cpp", "int main() {}")
        .file("sol/grader.py", "")
        .file("sol/sums.h", "")
        .file("cor/correttore.cpp", "int main() {}");
    let package = task.load().unwrap();
    assert_eq!(package.checkers[0].protocol, Protocol::Cms);
    assert_eq!(package.checkers[0].program.name, "cor/correttore.cpp");
    assert_eq!((package.streams.input_file.as_ref(), package.includes.len()), (None, 3));
    let include = &package.includes[0];
    assert_eq!(include.language, Some(LanguageHint::Ending("cpp".to_owned())));
    assert_eq!((include.files.len(), include.submission_name.as_deref()), (2, Some("sums")));
    let task = Task::new(&format!("{PLAIN}n_input: 1\nnum_processes: 2\n"), 1)
        .file("check/manager.cpp", "int main() {}")
        .file("sol/stub.c", "int main() {}");
    let package = task.load().unwrap();
    let Interaction::Communication(communication) = &package.interaction else { panic!("{package:?}") };
    assert_eq!((communication.processes, communication.channel), (2, Channel::Fifos));
    assert_eq!(package.tests[0].check, Check::Interaction { arguments: Vec::new() });
    let task = Task::new("name: a\noutput_only: true\nn_input: 2\n", 2).file("check/checker", "\u{7f}ELF");
    let package = task.load().unwrap();
    assert_eq!(package.submission_kind, SubmissionKind::Answers);
    assert_eq!(
        package.checkers[0].program.build,
        ProgramBuild::Scripts,
        "a compiled checker without its source"
    );
}

#[test]
fn solutions_say_in_comments_what_they_must_get() {
    let task = Task::new(PLAIN, 2)
        .file("gen/GEN", "#ST: 30\n#STNAME: few\n1\n#ST: 70\n#STNAME: many\n2\n")
        .file("sol/soluzione.cpp", "int main() {}")
        .file("sol/slow.py", "# @check-accepted: few\n# @check-time-limit-exceeded: many\n")
        .file("sol/other.c", "int main() {}")
        .file("sol/typo.c", "// @check-zero: fwe\n")
        .file("sol/template.cpp", "");
    let package = task.load().unwrap();
    let names: Vec<_> = package.submissions.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["sol/slow.py", "sol/soluzione.cpp", "sol/typo.c"]);
    let parts = &package.submissions[0].expectation.parts;
    assert_eq!((parts[0].pattern.as_str(), &parts[0].permitted), ("few", &vec![Verdict::AC]));
    assert_eq!((parts[1].pattern.as_str(), &parts[1].required), ("many", &vec![Verdict::TLE, Verdict::WTL]));
    assert_eq!(package.submissions[1].expectation.verdicts, [Verdict::AC]);
    assert!(
        package.warnings.iter().any(|warning| warning.contains("sol/other.c: not judged")),
        "{:?}",
        package.warnings
    );
    assert!(
        package.warnings.iter().any(|warning| warning.contains("'fwe' is not the name")),
        "{:?}",
        package.warnings
    );
}

#[test]
fn what_is_wrong_is_named_by_file_and_key() {
    for (yaml, parts) in [
        ("title: x\nn_input: 2\n", &["task.yaml: name: it is missing"][..]),
        ("name: ../x\nn_input: 2\n", &["task.yaml:1: name: '../x' cannot be the name of a file"]),
        ("name: x\nn_input: two\n", &["task.yaml:2: n_input: 'two' where a number"]),
        ("name: x\nn_input: 3\n", &["input/input2.txt: it is missing"]),
        ("name: x\nn_input: 1e300\n", &["n_input: 1e300 is out of range"]),
        ("name: x\nn_input: 2\ntime_limit: -1\n", &["task.yaml:3: time_limit: -1 is out of range"]),
        ("name: x\nn_input: 2\nmemory_limit: lots\n", &["memory_limit: 'lots'"]),
        ("name: x\nn_input: 2\ninfile: ../x\n", &["infile: '../x' is no plain file name"]),
        (
            "name: x\nn_input: 2\npublic_testcases: 7\n",
            &["public_testcases: '7' is not the number of a test"],
        ),
        (
            "name: x\nn_input: 2\ntask_type: ThreeSteps\n",
            &["task_type: the task type 'ThreeSteps' is not supported"],
        ),
        ("name: x\nn_input: 2\ntask_type: Communication\n", &["task_type: Communication is asked for"]),
        (
            "name: x\nn_input: 2\nscore_type: Best\nscore_type_parameters: []\n",
            &["score_type: 'Best' is no score type"],
        ),
        (
            "name: x\nn_input: 2\nscore_type: GroupMin\nscore_type_parameters: [[50, 3]]\n",
            &["[0]: there are only 2 tests"],
        ),
        (
            "name: x\nn_input: 2\nscore_type: GroupMin\nscore_type_parameters: [[50, '9.*']]\n",
            &["'9.*' matches no test"],
        ),
        (
            "name: x\nn_input: 2\nscore_type: GroupMin\nscore_type_parameters: [[50, '(']]\n",
            &["not a regular expression"],
        ),
        (
            "name: x\nn_input: 2\nscore_type: GroupThreshold\nscore_type_parameters: [[50, 2]]\n",
            &["there is no threshold"],
        ),
        ("name: x\nn_input: 0\n", &["there are no tests"]),
        ("- a\n", &["task.yaml:1: a list where a map"]),
        ("name: [\n", &["task.yaml:", "not the YAML expected"]),
    ] {
        let text = Task::new(yaml, 2).refusal();
        for part in parts {
            assert!(text.contains(part), "{yaml}: '{part}' in: {text}");
        }
    }
    let task = Task::new(PLAIN, 2).file("gen/GEN", "#ST: 30\n1\n#ST: 60\n2\n");
    assert!(
        task.refusal().contains("gen/GEN:3: ST: the subtasks are worth 90 together"),
        "{}",
        task.refusal()
    );
    let task = Task::new(&format!("{PLAIN}n_input: 3\n"), 2).file("gen/GEN", "1\n2\n");
    assert!(task.refusal().contains("n_input: it is 3, and gen/GEN has 2 tests"));
    let task = Task::new(&format!("{PLAIN}n_input: 1\nuser_io: telepathy\n"), 1).file("cor/manager.py", "");
    assert!(task.refusal().contains("user_io: 'telepathy'"));
    let task = Task::new(&format!("{PLAIN}n_inptu: 2\n"), 2);
    let warnings = task.load().unwrap().warnings;
    assert!(
        warnings[0].contains("n_inptu: an unknown key is ignored: did you mean 'n_input'?"),
        "{warnings:?}"
    );
}

#[test]
fn more_subtasks_than_anybody_makes_are_refused_at_once() {
    let parts = "[1, \".\"], ".repeat(1_000);
    let yaml =
        format!("name: x\nn_input: 1\nscore_type: GroupMin\nscore_type_parameters: [{parts}[1, \".\"]]\n");
    let directory = Task::new(&yaml, 1);
    assert!(directory.refusal().contains("score_type_parameters: there are more than 1000 subtasks"));
    let task = Task::new(PLAIN, 1).file("gen/GEN", &"#ST: 0\n1\n".repeat(1_001));
    assert!(task.refusal().contains("gen/GEN:2001: ST: there are more than 1000 subtasks"));
}

/// CMS compiles with `-DEVAL` for evaluations, cmsMake and task-maker everything.
#[test]
fn programs_in_c_are_compiled_with_eval() {
    let task = Task::new("name: t\ntitle: T\ntime_limit: 1\nmemory_limit: 64\n", 0)
        .file("gen/GEN", "1\n")
        .file("gen/generator.cpp", "")
        .file("sol/solution.cpp", "");
    let package = task.load().unwrap();
    let of = |ending: &str| {
        let hint = Some(LanguageHint::Ending(ending.to_owned()));
        package.includes.iter().find(|include| include.language == hint).map(|include| include.flags.clone())
    };
    assert_eq!((of("c"), of("cpp"), of("py")), (Some(vec!["-DEVAL".into()]), of("c"), None));
    let made = package.generated.unwrap();
    let flags = |program: &JuryProgram| match &program.build {
        ProgramBuild::Language { flags, .. } => flags.clone(),
        _ => Vec::new(),
    };
    assert_eq!((flags(&made.generators[0]), flags(&made.solutions[0])), (of("c").unwrap(), of("c").unwrap()));
}

#[test]
fn what_only_task_maker_or_the_site_reads_is_named() {
    let yaml = "name: t\ntitle: T\ntime_limit: 1\nmemory_limit: 64\n";
    let task = Task::new(&format!("{yaml}feedback_level: full\n"), 2)
        .file("gen/GEN", "#ST: 40\n1\n#ST: 60\n#STDEP: small\n2\n");
    let warnings = task.load().unwrap().warnings.join("\n");
    assert!(warnings.contains("gen/GEN:4: STDEP: dependencies of subtasks are not read"), "{warnings}");
    assert!(warnings.contains("task.yaml: feedback_level is not supported"), "{warnings}");
    // Without gen/GEN nothing says which tests are whose.
    let task =
        Task::new(yaml, 2).file("gen/cases.gen", ": GEN default gen/g.py N\n: SUBTASK 100 all\n1\n2\n");
    assert!(task.refusal().contains("cases.gen"), "{}", task.refusal());
    // The one that task-maker writes does not say which generator makes a test.
    let task = Task::new(yaml, 0)
        .file("gen/cases.gen", ": GEN default gen/g.py N\n1\n")
        .file("gen/GEN", "1\n")
        .file("gen/generator.py", "")
        .file("sol/solution.py", "");
    assert!(task.refusal().contains("cases.gen"), "{}", task.refusal());
    // With the inputs there it says everything.
    let task =
        Task::new(yaml, 1).file("gen/cases.gen", ": GEN default gen/g.py N\n1\n").file("gen/GEN", "1\n");
    assert_eq!(task.load().unwrap().warnings, Vec::<String>::new());
}
