//! `gavel verify` on packages that have exactly one thing wrong: it is found, it is as bad as it is, and nothing else is
//! said of them.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::{SUM, Scene};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Accepts one word that is the sum; whatever else comes is wrong.
const CHECKER: &str = "read a b < \"$1\"\nread -r -d '' -a words && exit 43\n\
     [ ${#words[@]} = 1 ] && [ \"${words[0]}\" = $((a + b)) ] && exit 42\nexit 43\n";

/// Accepts two integers on a line and nothing else.
const VALIDATOR: &str = "IFS= read -r -d '' input && exit 43\nnumber='(0|-?[1-9][0-9]*)'\n\
     [[ $input =~ ^$number\\ $number$'\\n'$ ]] && exit 42\nexit 43\n";

/// The checker with a line before it decides.
fn checker_with(line: &str) -> String {
    CHECKER.replacen("exit 43\n[", &format!("exit 43\n{line}\n["), 1)
}

/// A program in C that uses so much CPU time before it answers.
fn slow(seconds: f64) -> String {
    format!(
        "#include <stdio.h>\n#include <time.h>\nint main(void) {{ int a, b; scanf(\"%d %d\", &a, &b);\n\
         while (clock() < {seconds} * CLOCKS_PER_SEC) {{}}\nprintf(\"%d\\n\", a + b); }}\n"
    )
}

/// A package in which everything is as it should be.
fn sound(scene: &Scene, name: &str) {
    scene.kattis_package(name);
    scene.write(&format!("{name}/problem.yaml"), "name: Sum\nvalidation: custom\nlimits:\n  memory: 256\n");
    scene.write(&format!("{name}/output_validators/check.sh"), CHECKER);
    scene.write(&format!("{name}/input_validators/check.sh"), VALIDATOR);
    scene.write(&format!("{name}/submissions/accepted/right.sh"), SUM);
    scene.write(&format!("{name}/submissions/wrong_answer/wrong.sh"), "echo 3\n");
}

/// The same with gavel's own comparison in place of a checker.
fn compared(scene: &Scene, name: &str) {
    sound(scene, name);
    scene.write(&format!("{name}/problem.yaml"), "name: Sum\nlimits:\n  memory: 256\n");
    std::fs::remove_dir_all(scene.path(&format!("{name}/output_validators"))).unwrap();
}

/// A script of checktestdata that says what [`VALIDATOR`] says.
const SCRIPT: &str = "# Two integers.\nSET(most=10^18)\nINT(-most,most) SPACE INT(-most,most) NEWLINE\n";

/// The same package with a script in place of the input validator.
fn scripted(scene: &Scene, name: &str, script: &str) {
    std::fs::remove_file(scene.path(&format!("{name}/input_validators/check.sh"))).unwrap();
    scene.write(&format!("{name}/input_validators/format.ctd"), script);
}

/// What is wrong with a package, and what must be said of it.
struct Defect {
    name: &'static str,
    make: fn(&Scene, &str),
    part: &'static str,
    severity: &'static str,
    says: &'static str,
}

const fn defect(
    name: &'static str,
    part: &'static str,
    severity: &'static str,
    says: &'static str,
    make: fn(&Scene, &str),
) -> Defect {
    Defect { name, make, part, severity, says }
}

/// All of them are made from [`sound`] by one change.
const DEFECTS: &[Defect] = &[
    defect("duplicate", "tests", "warning", "secret/3: its input is that of secret/1", |scene, name| {
        scene.write(&format!("{name}/data/secret/3.in"), "3 4\n");
        scene.write(&format!("{name}/data/secret/3.ans"), "7\n");
    }),
    defect(
        "contradiction",
        "tests",
        "error",
        "secret/3: its input is that of secret/1, but its answer",
        |scene, name| {
            compared(scene, name);
            scene.write(&format!("{name}/data/secret/3.in"), "3 4\n");
            scene.write(&format!("{name}/data/secret/3.ans"), "8\n");
            // So that no submission shows it first.
            std::fs::remove_dir_all(scene.path(&format!("{name}/submissions/accepted"))).unwrap();
            scene.write(&format!("{name}/submissions/rejected/right.sh"), SUM);
        },
    ),
    defect(
        "shown",
        "tests",
        "note",
        "secret/3: its input is that of sample/1, which contestants see",
        |scene, name| {
            scene.write(&format!("{name}/data/secret/3.in"), "1 2\n");
            scene.write(&format!("{name}/data/secret/3.ans"), "3\n");
        },
    ),
    defect("empty_answer", "tests", "warning", "1 test with an empty answer", |scene, name| {
        compared(scene, name);
        scene.write(&format!("{name}/data/secret/3.in"), "0 0\n");
        scene.write(&format!("{name}/data/secret/3.ans"), "\n");
        scene.write(
            &format!("{name}/submissions/accepted/right.sh"),
            "read a b\nif [ $((a + b)) = 0 ]; then echo; else echo $((a + b)); fi\n",
        );
    }),
    defect(
        "line_ends",
        "tests",
        "warning",
        "1 test whose input has carriage returns (CR LF): secret/1",
        |scene, name| {
            std::fs::remove_dir_all(scene.path(&format!("{name}/input_validators"))).unwrap();
            scene.write(&format!("{name}/data/secret/1.in"), "3 4 \r\n");
            scene.write(
                &format!("{name}/output_validators/check.sh"),
                CHECKER.replace("read a b ", "read a b rest "),
            );
            scene.write(
                &format!("{name}/submissions/accepted/right.sh"),
                SUM.replace("read a b", "read a b rest"),
            );
        },
    ),
    defect(
        "last_line",
        "tests",
        "warning",
        "1 test whose answer does not end in a newline: secret/1",
        |scene, name| {
            scene.write(&format!("{name}/data/secret/1.ans"), "7");
        },
    ),
    defect("large_answer", "tests", "error", "is larger than the output limit of", |scene, name| {
        scene.write(
            &format!("{name}/problem.yaml"),
            "name: Sum\nvalidation: custom\nlimits:\n  memory: 256\n  output: 1\n",
        );
        scene.write(&format!("{name}/data/secret/1.ans"), format!("7{}\n", " ".repeat(1 << 20)));
    }),
    defect(
        "invalid_test",
        "validators",
        "error",
        "secret/2: the validator refuses it with exit code 43",
        |scene, name| {
            scene.write(&format!("{name}/data/secret/2.in"), "50  60\n");
        },
    ),
    defect(
        "crashing_validator",
        "validators",
        "error",
        "secret/2: input validator 'input_validators/check.sh': it died of signal 11",
        |scene, name| {
            scene.write(
                &format!("{name}/input_validators/check.sh"),
                format!("read -r a b\n[ $a = 50 ] && kill -SEGV $$\n(echo \"$a $b\"; cat) | ({VALIDATOR})\n"),
            );
        },
    ),
    defect("unbuildable_validator", "validators", "error", "does not compile as", |scene, name| {
        scene.write(&format!("{name}/input_validators/second.c"), "int main(void) { return 42\n");
    }),
    defect(
        "lax_validator",
        "validators",
        "warning",
        "no validator refuses it with text after its end",
        |scene, name| {
            let lax = VALIDATOR.replace("\\n'$ ]]", "\\n' ]]");
            scene.write(&format!("{name}/input_validators/check.sh"), lax);
        },
    ),
    defect(
        "script_refuses",
        "validators",
        "error",
        "secret/2: the validator refuses it: line 1, column 4: INT: expected an integer, found a space (script line 3, \
         column 23)",
        |scene, name| {
            scripted(scene, name, SCRIPT);
            scene.write(&format!("{name}/data/secret/2.in"), "50  60\n");
        },
    ),
    defect(
        "broken_script",
        "validators",
        "error",
        "input validator 'input_validators/format.ctd': line 2, column 9: expected ')'",
        |scene, name| scripted(scene, name, "SPACE\nINT(1,2 SPACE\n"),
    ),
    defect("script_without_end", "validators", "error", "the script needs more CPU time", |scene, name| {
        let limits = "limits:\n  memory: 256\n  validation_time: 1\n";
        scene.write(&format!("{name}/problem.yaml"), format!("name: Sum\nvalidation: custom\n{limits}"));
        scripted(scene, name, "WHILE(1==1) END");
    }),
    defect("lax_script", "validators", "warning", "no validator refuses it with", |scene, name| {
        scripted(scene, name, "REGEX(\"[0-9 -]*\") NEWLINE");
    }),
    defect(
        "script_takes_invalid_input",
        "validators",
        "error",
        "invalid_input/fine: no input validator refuses it",
        |scene, name| {
            scripted(scene, name, SCRIPT);
            scene.write(&format!("{name}/data/invalid_input/fine.in"), "1 2\n");
            scene.write(&format!("{name}/data/invalid_input/wrong.in"), "1 2 3\n");
        },
    ),
    defect("no_validator", "validators", "warning", "there is none to run", |scene, name| {
        std::fs::remove_dir_all(scene.path(&format!("{name}/input_validators"))).unwrap();
    }),
    defect(
        "valid_invalid",
        "validators",
        "error",
        "invalid_input/fine: no input validator refuses it",
        |scene, name| {
            scene.write(&format!("{name}/data/invalid_input/fine.in"), "1 2\n");
        },
    ),
    defect(
        "right_wrong",
        "answers",
        "error",
        "invalid_output/fine: it is accepted, and the package says it is wrong",
        |scene, name| {
            scene.write(&format!("{name}/data/invalid_output/fine.in"), "1 2\n");
            scene.write(&format!("{name}/data/invalid_output/fine.ans"), "3\n");
            scene.write(&format!("{name}/data/invalid_output/fine.out"), "3\n");
        },
    ),
    defect(
        "wrong_right",
        "answers",
        "error",
        "valid_output/odd: it is rejected, and the package says it is right",
        |scene, name| {
            scene.write(&format!("{name}/data/valid_output/odd.in"), "1 2\n");
            scene.write(&format!("{name}/data/valid_output/odd.ans"), "3\n");
            scene.write(&format!("{name}/data/valid_output/odd.out"), "4\n");
        },
    ),
    defect("sample_answer", "answers", "error", "sample/1: the jury's answer is rejected", |scene, name| {
        scene.write(&format!("{name}/data/sample/1.ans"), "4\n");
    }),
    defect(
        "secret_answer",
        "answers",
        "warning",
        "secret/1: the jury's answer is rejected",
        |scene, name| {
            scene.write(&format!("{name}/data/secret/1.ans"), "8\n");
        },
    ),
    defect(
        "crashing_checker",
        "fuzz",
        "error",
        "given an empty output: checker 'output_validators/check.sh': it exited with code 1",
        |scene, name| {
            scene.write(
                &format!("{name}/output_validators/check.sh"),
                checker_with("[ ${#words[@]} = 0 ] && exit 1"),
            );
        },
    ),
    defect("hanging_checker", "fuzz", "error", "it used more CPU time than", |scene, name| {
        scene.write(
            &format!("{name}/problem.yaml"),
            "name: Sum\nvalidation: custom\nlimits:\n  memory: 256\n  validation_time: 1\n",
        );
        scene.write(
            &format!("{name}/output_validators/check.sh"),
            checker_with("while [ ${#words[@]} = 0 ]; do :; done"),
        );
    }),
    defect(
        "generous_checker",
        "fuzz",
        "error",
        "an empty output is accepted on every test",
        |scene, name| {
            scene.write(
                &format!("{name}/output_validators/check.sh"),
                checker_with("[ ${#words[@]} = 0 ] && exit 42"),
            );
        },
    ),
    defect(
        "short_sighted_checker",
        "fuzz",
        "warning",
        "the answer with more text after it is accepted",
        |scene, name| {
            scene.write(
                &format!("{name}/output_validators/check.sh"),
                CHECKER.replace("[ ${#words[@]} = 1 ] && ", ""),
            );
        },
    ),
    defect("nothing_accepted", "submissions", "warning", "no submission must be accepted", |scene, name| {
        std::fs::remove_dir_all(scene.path(&format!("{name}/submissions/accepted"))).unwrap();
    }),
    defect("nothing_wrong", "submissions", "note", "no submission gets WA", |scene, name| {
        std::fs::remove_dir_all(scene.path(&format!("{name}/submissions/wrong_answer"))).unwrap();
    }),
    defect(
        "tight_limit",
        "submissions",
        "warning",
        "the limit of 2s is near what must be accepted: accepted/slow.c",
        |scene, name| {
            scene.write(&format!("{name}/submissions/accepted/slow.c"), slow(0.6));
        },
    ),
    defect(
        "loose_limit",
        "submissions",
        "warning",
        "the limit of 2s is near what must be too slow: time_limit_exceeded/slow.c",
        |scene, name| {
            scene.write(&format!("{name}/submissions/time_limit_exceeded/slow.c"), slow(2.4));
        },
    ),
];

/// What is said of every package made from [`sound`]: nobody has written a slow program, or in another language.
const USUAL: [&str; 2] = ["no submission gets TLE", "are in one language"];

fn verify(scene: &Scene, arguments: &[&str]) -> (i32, Value) {
    let said = scene.say(&[&["verify", "--format", "json"], arguments].concat());
    (said.code, serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}")))
}

/// Everything that was found in a package: part, severity and line.
fn findings(package: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut found = Vec::new();
    for inspection in package["inspections"].as_array().unwrap() {
        for finding in inspection["findings"].as_array().unwrap() {
            let subject = text(&finding["subject"]);
            let line = if subject.is_empty() {
                text(&finding["message"])
            } else {
                format!("{subject}: {}", text(&finding["message"]))
            };
            if !USUAL.iter().any(|usual| line.contains(usual)) {
                found.push((text(&inspection["part"]), text(&finding["severity"]), line));
            }
        }
    }
    found
}

#[test]
fn each_defect_is_found_and_nothing_else_is_said() {
    let scene = Scene::new();
    sound(&scene, "packages/sound");
    sound(&scene, "packages/scripted");
    scripted(&scene, "packages/scripted", SCRIPT);
    for defect in DEFECTS {
        let name = format!("packages/{}", defect.name);
        sound(&scene, &name);
        (defect.make)(&scene, &name);
    }
    let (code, result) = verify(&scene, &["packages", "--fuzz-runs", "18"]);
    assert_eq!(code, 1, "{result:#}");
    let packages = result["packages"].as_array().unwrap();
    let named = |name: &str| packages.iter().find(|package| package["name"] == name).unwrap();
    for clean in [named("sound"), named("scripted")] {
        assert_eq!(findings(clean), [], "{clean:#}");
        assert!(clean["submissions"].as_array().unwrap().iter().all(|row| row["ok"] == true), "{clean:#}");
    }
    for defect in DEFECTS {
        let package = named(defect.name);
        let found = findings(package);
        let is_it = |(part, severity, line): &(String, String, String)| {
            part == defect.part && severity == defect.severity && line.contains(defect.says)
        };
        assert!(found.iter().any(is_it), "{}: {found:#?}", defect.name);
        // What follows from the defect may be said too, but nothing as bad as an error that is none.
        let worst = |severity: &str| {
            ["note", "warning", "error", "unchecked", "failure"].iter().position(|name| *name == severity)
        };
        let louder: Vec<_> =
            found.iter().filter(|(_, severity, _)| worst(severity) > worst(defect.severity)).collect();
        assert!(louder.is_empty(), "{}: {louder:#?}", defect.name);
        assert!(
            package["submissions"].as_array().unwrap().iter().all(|row| row["ok"] == true),
            "{}: {package:#}",
            defect.name
        );
    }
}

#[test]
fn parts_and_submissions_are_chosen_on_the_command_line() {
    let scene = Scene::new();
    sound(&scene, "sum");
    scene.write("sum/data/secret/3.in", "3 4\n");
    scene.write("sum/data/secret/3.ans", "7\n");
    let (code, result) = verify(&scene, &["sum", "--only", "tests"]);
    assert_eq!((code, &result["summary"]["submissions"]), (0, &0.into()), "{result:#}");
    assert_eq!(findings(&result["packages"][0]).len(), 1, "{result:#}");
    let (code, _) = verify(&scene, &["sum", "--only", "tests", "--strict"]);
    assert_eq!(code, 1);
    let (code, result) = verify(&scene, &["sum", "--skip", "tests,fuzz,validators,answers"]);
    assert_eq!((code, findings(&result["packages"][0]).len()), (0, 0), "{result:#}");
    let (code, result) = verify(&scene, &["sum", "--only", "submissions", "-s", "accepted"]);
    assert_eq!((code, &result["summary"]["submissions"]), (0, &1.into()), "{result:#}");
    let said = scene.say(&["verify", "sum", "--only", "everything"]);
    assert_eq!(said.code, 2, "{said:?}");
    let said = scene.say(&["verify", "sum", "--submission", "["]);
    assert!(said.code == 2 && said.stderr.contains("--submission"), "{said:?}");
}

#[test]
fn a_seed_makes_the_same_corruptions_and_is_printed() {
    let scene = Scene::new();
    sound(&scene, "sum");
    scene.write("sum/output_validators/check.sh", CHECKER.replace("[ ${#words[@]} = 1 ] && ", ""));
    let fuzz = |seed: &str| {
        let (code, mut result) = verify(&scene, &["sum", "--only", "fuzz", "--seed", seed]);
        assert_eq!(code, 0, "{result:#}");
        assert_eq!(result["seed"].to_string(), seed);
        result["packages"][0]["inspections"].take()
    };
    assert_eq!(fuzz("17"), fuzz("17"));
    let said = scene.say(&["verify", "sum", "--only", "fuzz", "--seed", "17"]);
    assert!(said.stdout.contains("fuzz, seed 17"), "{said:?}");
}

#[test]
fn every_form_of_the_result_has_what_was_found() {
    let scene = Scene::new();
    sound(&scene, "sum");
    scene.write("sum/data/secret/2.in", "50  60\n");
    scene.write("sum/submissions/accepted/wrong.sh", "echo 4\n");
    let said = scene.say(&["verify", "sum"]);
    assert_eq!(said.code, 1, "{said:?}");
    for line in [
        "UNEXPECTED: got WA, must get AC",
        "error: validators: secret/2: the validator refuses it with exit code 43",
        "time limit 2s, 1s suggested; slowest accepted 0.",
        "1 not, 1 error",
    ] {
        assert!(said.stdout.contains(line), "{line}: {said:?}");
    }
    let said = scene.say(&["verify", "sum", "--format", "junit"]);
    assert_eq!(said.code, 1, "{said:?}");
    for line in [
        "failures=\"2\"",
        "validators: input_validators/check.sh",
        "exit code 43",
        "tests: files",
        "answers: jury",
    ] {
        assert!(said.stdout.contains(line), "{line}: {said:?}");
    }
}

#[test]
fn a_checker_that_crashes_on_what_is_handed_in_is_the_packages_fault() {
    let scene = Scene::new();
    sound(&scene, "sum");
    scene.write("sum/output_validators/check.sh", "exit 1\n");
    let (code, result) = verify(&scene, &["sum", "--only", "submissions"]);
    assert_eq!(code, 1, "{result:#}");
    assert_eq!(result["packages"][0]["submissions"][0]["verdict"], "JE", "{result:#}");
    assert_eq!(result["summary"]["judging_errors"], 0, "{result:#}");
}

/// A package of Polygon whose tests each have a generator of their own.
fn generated(scene: &Scene, name: &str, generators: &[(&str, &str)]) {
    let mut tests = String::new();
    let mut executables = String::new();
    for (place, (generator, program)) in generators.iter().enumerate() {
        let number = place + 1;
        tests.push_str(&format!("<test cmd=\"{generator} {number} 2\" method=\"generated\"/>\n"));
        executables.push_str(&format!(
            "<executable><source path=\"files/{generator}.py\" type=\"python.3\"/></executable>\n"
        ));
        scene.write(&format!("{name}/files/{generator}.py"), program);
        scene.write(&format!("{name}/tests/{number:02}"), format!("{number} 2\r\n"));
        scene.write(&format!("{name}/tests/{number:02}.a"), format!("{}\n", number + 2));
    }
    scene.write(&format!("{name}/solutions/sum.sh"), SUM);
    scene.write(
        &format!("{name}/problem.xml"),
        format!(
            "<problem short-name=\"sums\"><names><name language=\"english\" value=\"Sums\"/></names><judging>\n\
             <testset name=\"tests\"><time-limit>2000</time-limit><memory-limit>268435456</memory-limit>\n\
             <test-count>{}</test-count><input-path-pattern>tests/%02d</input-path-pattern>\n\
             <answer-path-pattern>tests/%02d.a</answer-path-pattern><tests>\n{tests}</tests></testset></judging>\n\
             <files><executables>{executables}</executables></files><assets>\n\
             <checker name=\"std::wcmp.cpp\" type=\"testlib\"><source path=\"files/check.cpp\" type=\"cpp.g++17\"/></checker>\n\
             <solutions><solution tag=\"main\"><source path=\"solutions/sum.sh\" type=\"bash\"/></solution></solutions>\n\
             </assets></problem>\n",
            generators.len()
        ),
    );
    scene.write(&format!("{name}/files/check.cpp"), "");
}

#[test]
fn generators_make_the_tests_they_are_said_to_have_made() {
    let scene = Scene::new();
    let right = "import sys\nprint(*sys.argv[1:])\n";
    generated(
        &scene,
        "sums",
        &[
            ("right", right),
            ("other", "print(2, 3)\n"),
            ("unsteady", "import time\nprint(time.monotonic_ns(), 2)\n"),
            ("crashes", "raise SystemExit('no such size')\n"),
            ("unbuildable", "def\n"),
        ],
    );
    let (code, result) = verify(&scene, &["sums", "--only", "generators"]);
    assert_eq!(code, 1, "{result:#}");
    let found = findings(&result["packages"][0]);
    let says = |severity: &str, words: &str| {
        assert!(
            found
                .iter()
                .any(|(part, level, line)| part == "generators" && level == severity && line.contains(words)),
            "{words}: {found:#?}"
        );
    };
    says("warning", "tests/02: 'files/other.py 2 2' makes another input");
    says("warning", "tests/03: 'files/unsteady.py 3 2' makes another input every time");
    says("error", "tests/04: generator 'files/crashes.py': it exited with code 1: no such size");
    says("error", "files/unbuildable.py");
    assert_eq!(found.len(), 4, "{found:#?}");
}

#[test]
fn where_an_interactor_decides_answers_are_left_alone_and_that_is_said() {
    let scene = Scene::new();
    sound(&scene, "talk");
    scene.write("talk/problem.yaml", "name: Talk\nvalidation: custom interactive\nlimits:\n  memory: 256\n");
    let (code, result) = verify(&scene, &["talk", "--only", "answers,fuzz"]);
    assert_eq!(code, 0, "{result:#}");
    let inspections = result["packages"][0]["inspections"].as_array().unwrap();
    assert_eq!(inspections.len(), 2, "{result:#}");
    for found in inspections {
        assert!(found["skipped"].as_str().unwrap().contains("an interactor decides"), "{result:#}");
    }
    let said = scene.say(&["verify", "talk", "--only", "answers,fuzz", "--format", "junit"]);
    assert!(said.stdout.contains("skipped=\"2\""), "{said:?}");
}

/// Whether any process on this host has the word in its command line.
fn is_running(word: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        std::fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| line.windows(word.len()).any(|part| part == word.as_bytes()))
    })
}

#[test]
fn an_interrupt_leaves_nothing_running() {
    let scene = Scene::new();
    sound(&scene, "sum");
    let mark = format!("8{}.5", std::process::id());
    scene.write("sum/.timelimit", "3600\n");
    scene.write("sum/submissions/accepted/waits.sh", format!("sleep {mark}\n"));
    let mut child =
        scene.gavel(&["verify", "sum", "--format", "json"]).stdout(Stdio::piped()).spawn().unwrap();
    crate::common::guardian::watch(&child);
    let patience = Instant::now() + Duration::from_secs(120);
    while !is_running(&mark) {
        assert!(Instant::now() < patience && child.try_wait().unwrap().is_none(), "it does not run");
        std::thread::sleep(Duration::from_millis(20));
    }
    // As `timeout` does it: to the process, and to its group.
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    kill(pid, Signal::SIGINT).unwrap();
    kill(pid, Signal::SIGINT).unwrap();
    let result: Value = serde_json::from_reader(child.stdout.take().unwrap()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(result["summary"]["complete"], false, "{result:#}");
    assert!(!is_running(&mark));
}
