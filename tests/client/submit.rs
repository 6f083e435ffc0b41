//! `gavel submit` when nothing goes wrong.

use serde_json::{Value, json};

use crate::common::gate::Gate;
use crate::common::{SUM, text};
use crate::stage::{Process, Stage};

#[test]
fn verdicts_come_back_in_every_format() {
    let stage = Stage::new();
    let worker = stage.worker();
    let scene = &stage.scene;

    // One submission, its tests told as they are judged.
    let gate = Gate::new();
    scene.write("anna.sh", gate.sum_at(3));
    let mut submitting = Process::start(&mut stage.gavel(&["submit", "sum", "anna.sh", "--wall", "1h"]));
    assert!(submitting.line().starts_with("test "));
    assert!(submitting.line().starts_with("sample/1                         AC"));
    assert!(submitting.is_running(), "the first test is told before the last is judged");
    gate.open();
    let said = submitting.end();
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("secret/2") && said.stdout.contains("\nAC: "), "{said:?}");
    scene.write("anna.sh", SUM);

    // The same as JSON lines, rejected.
    scene.write("wrong.sh", "echo 7\n");
    let said = stage.say(&[
        "submit",
        "sum",
        "wrong.sh",
        "--format",
        "ndjson",
        "--meta",
        "course=inf1",
        "--id",
        "mine",
    ]);
    assert_eq!(said.code, 1, "{said:?}");
    let events: Vec<Value> = said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().any(|event| event["type"] == "accepted"), "{said:?}");
    let done = events.last().unwrap();
    assert_eq!(
        (&done["type"], &done["verdict"], &done["id"]),
        (&"done".into(), &"WA".into(), &"mine".into())
    );
    assert_eq!(done["meta"], json!({"course": "inf1"}));

    // Tests inside the message.
    let folder = scene.sum_package(&[(1, 2), (20, 30)]);
    let said = stage.say(&["submit", text(&folder), "anna.sh", "--inline"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("2 of 2 tests accepted"), "{said:?}");

    // A folder of students.
    scene.write("class/anna.sh", SUM);
    scene.write("class/bert/main.sh", "echo 3\n");
    scene.write("class/carl/notes.txt", "");
    let said = stage.say(&["submit", "sum", "--batch", "class"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr.contains("class/carl: there is no program in it: it holds notes.txt")
            && said.stderr.contains("1 of 3 rows"),
        "{said:?}"
    );
    assert!(!scene.path("class.journal").exists());
    let said =
        stage.say(&["submit", "sum", "--batch", "class", "--keep-going", "--due", "2001-01-01T00:00:00Z"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("no submission says when it was handed in"), "{said:?}");
    let said = stage.say(&["submit", "sum", "--batch", "class", "--keep-going"]);
    assert_eq!(said.code, 2, "{said:?}");
    for words in ["anna", "AC", "bert", "WA", "3 submissions: 1 AC, 1 WA, 1 not judged"] {
        assert!(said.stdout.contains(words), "'{words}': {said:?}");
    }

    // JUnit for a build server, written to a file, whatever was judged before.
    let said = stage.say(&[
        "submit",
        "sum",
        "--batch",
        "class",
        "--keep-going",
        "--format",
        "junit",
        "--save",
        "out.xml",
        "--journal",
        "class.journal",
    ]);
    assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{said:?}");
    let document = std::fs::read_to_string(scene.path("out.xml")).unwrap();
    assert!(document.contains("tests=\"3\" skipped=\"0\" failures=\"1\" errors=\"1\""), "{document}");

    // Only sent.
    let said = stage.say(&["submit", "sum", "anna.sh", "--no-wait", "--id", "later", "--format", "json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let result: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(
        (&result["submissions"][0]["id"], &result["submissions"][0]["state"]),
        (&"later".into(), &"sent".into())
    );
    stage.wait_for_depth("gavel.results", 6);

    // By a user who may do this and nothing else.
    stage.node.control(&["add_user", "grader", "grader"]);
    let rights = [
        "^(gavel\\.client\\..+|amq\\.gen-.+)$",
        "^(gavel\\.(submit|control)|gavel\\.client\\..+|amq\\.gen-.+)$",
        "^(gavel\\.(verdicts|progress)|gavel\\.client\\..+|amq\\.gen-.+)$",
    ];
    stage.node.control(&[&["set_permissions", "grader"], &rights[..]].concat());
    let address = stage.node.address_of("grader", "grader", "%2f");
    let mut command = scene.gavel(&["submit", "sum", "anna.sh", "--id", "graded"]);
    let said = crate::common::said(command.env("GAVEL_QUEUE", address).output().unwrap());
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("secret/2"), "{said:?}");
    stage.stop(worker);
}

#[test]
fn a_class_of_three_hundred_by_csv_is_judged_once() {
    let stage = Stage::new();
    let worker = stage.worker();
    let scene = &stage.scene;
    let mut roster = "\u{feff}student,name,source,submitted,seat\n".to_owned();
    for number in 0..300 {
        // Different programs, or the first would be judged for all.
        let program = if number % 3 == 0 { format!("echo {number}\n") } else { format!("{SUM}# {number}\n") };
        scene.write(&format!("work/s{number:03}.sh"), program);
        let hour = number % 24;
        roster.push_str(&format!(
            "s{number:03},\"Student, {number}\",work/s{number:03}.sh,2026-11-20T{hour:02}:00:00Z,=1+{number}\n"
        ));
    }
    scene.write("class.csv", &roster);
    let command =
        ["submit", "sum", "--batch", "class.csv", "--format", "csv", "--due", "2026-11-20T12:00:00Z"];
    let said = stage.say(&command);
    assert_eq!(said.code, 1, "{said:?}");
    let mut reader = csv::Reader::from_reader(said.stdout.as_bytes());
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|column| column == name).unwrap();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 300);
    for (number, row) in rows.iter().enumerate() {
        assert_eq!(&row[column("student")], format!("s{number:03}"));
        assert_eq!(&row[column("verdict")], if number % 3 == 0 { "WA" } else { "AC" }, "{row:?}");
        assert_eq!(&row[column("late")], if number % 24 > 12 { "yes" } else { "no" });
        assert_eq!(&row[column("seat")], format!("'=1+{number}"), "a formula is text");
    }
    assert_eq!(stage.depth("gavel.results"), 300);

    // Again: nothing is sent. One has improved: that one is.
    assert_eq!(stage.say(&command).stdout, said.stdout);
    assert_eq!(stage.depth("gavel.results"), 300);
    scene.write("work/s000.sh", SUM);
    let better = stage.say(&command);
    assert!(
        better.stdout.contains("s000,\"Student, 0\",sum,1,2026-11-20T00:00:00Z,no,bash,AC"),
        "{better:?}"
    );
    assert_eq!(stage.depth("gavel.results"), 301);
    // Another judging: everything is.
    let said = stage.say(&[&command[..], &["--judging", "2"]].concat());
    assert_eq!(said.stdout.lines().count(), 301, "{said:?}");
    assert_eq!(stage.depth("gavel.results"), 601);
    stage.stop(worker);
}
