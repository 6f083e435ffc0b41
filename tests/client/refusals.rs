//! What is refused before anything is sent, with one line that says what to do.

use crate::common::{SUM, Said, Scene, said};
use crate::stage::Stage;

fn refused(said: &Said, code: i32, parts: &[&str]) {
    assert_eq!(said.code, code, "{said:?}");
    assert_eq!(said.stdout, "", "{said:?}");
    for part in parts {
        assert!(said.stderr.contains(part), "'{part}' is missing: {said:?}");
    }
    assert!(!said.stderr.contains("secret"), "a password in the message: {said:?}");
}

#[test]
fn brokers_that_refuse_or_are_not_there() {
    let stage = Stage::new();
    stage.scene.write("anna.sh", SUM);
    let with =
        |user: &str, vhost: &str| stage.node.address().replace("guest:guest", user).replace("%2f", vhost);
    let try_all = |address: &str, code: i32, parts: &[&str]| {
        for command in [vec!["submit", "sum", "anna.sh"], vec!["cancel", "x"], vec!["queue"]] {
            let said = said(stage.scene.gavel(&command).env("GAVEL_QUEUE", address).output().unwrap());
            refused(&said, code, parts);
            assert_eq!(said.stderr.matches("gavel: ").count(), 1, "{said:?}");
        }
    };
    try_all(&with("guest:secret", "%2f"), 2, &["refuses user 'guest'", "password"]);
    try_all(&with("guest:guest", "nowhere"), 2, &["refuses user 'guest' in virtual host 'nowhere'"]);
    try_all("http://x:secret@y", 2, &["amqp://HOST:PORT/VHOST"]);
    try_all("stdio", 2, &["no broker", "GAVEL_QUEUE"]);
    let said = stage.say(&["cancel", "x"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.stdout.contains("no worker is connected"), "{said:?}");
    // Whoever waits is told at once for what.
    let mut command = stage.scene.gavel(&["queue"]);
    let said = crate::common::said(command.env("GAVEL_QUEUE", "amqp://127.0.0.1:1").output().unwrap());
    assert_eq!(said.code, 3, "{said:?}");
    let lines: Vec<_> = said.stderr.lines().collect();
    assert!(
        lines[0].contains("no broker answers at 127.0.0.1:1") && lines[0].contains("trying for 10 s"),
        "{said:?}"
    );
    assert_eq!(lines.len(), 2, "{said:?}");
}

#[test]
fn a_worker_whose_user_may_not_consume_names_it_and_is_not_ready() {
    let stage = Stage::new();
    // Declared by a worker that may.
    let worker = stage.worker();
    stage.stop(worker);
    stage.node.control(&["add_user", "guard", "guard"]);
    stage.node.control(&["set_permissions", "guard", "^$", "^$", "^$"]);
    let mut command = stage.scene.gavel(&["worker", "--slots", "1"]);
    command.env("GAVEL_QUEUE", stage.node.address_of("guard", "guard", "%2f"));
    let mut child = command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    crate::common::guardian::watch(&child);
    let stderr = child.stderr.take().unwrap();
    let mut said = String::new();
    for line in std::io::BufRead::lines(std::io::BufReader::new(stderr)) {
        said.push_str(&(line.unwrap() + "\n"));
        if said.contains("does not let") {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(said.contains(" started: 1 slot, connecting to ") && !said.contains(" ready: "), "{said}");
    assert!(said.contains("does not let user 'guard' work"), "{said}");
}

#[test]
fn problems_rows_and_files_that_cannot_be_sent() {
    let scene = Scene::new();
    scene.write("anna.sh", SUM);
    let say = |arguments: &[&str]| {
        // Nobody is there; nothing here comes so far as to notice.
        let mut command = scene.gavel(&[&["submit"], arguments].concat());
        said(command.env("GAVEL_QUEUE", "amqp://x:secret@127.0.0.1:1").output().unwrap())
    };
    refused(&say(&["./sum", "anna.sh"]), 2, &["./sum", "below their package roots", "--inline"]);
    refused(&say(&["https://host/sum.zip", "anna.sh"]), 2, &["--sha256"]);
    refused(&say(&["sum", "missing.sh"]), 2, &["missing.sh", "No such file"]);
    refused(&say(&["sum", "anna.sh", "--language", "klingon"]), 2, &["klingon", "cpp20"]);
    refused(&say(&["sum", "anna.sh", "--batch", "x.csv"]), 2, &["--batch"]);
    refused(&say(&["sum", "--batch", "x.csv"]), 2, &["x.csv", "No such file"]);
    refused(&say(&["sum", "anna.sh", "--journal", "anna.sh"]), 2, &["anna.sh", "not a gavel journal"]);
    scene.write("class.csv", "student,source,language\nanna,anna.sh,\nbert,bert.sh,\ncarl,anna.sh,klingon\n");
    let said = say(&["sum", "--batch", "class.csv"]);
    let rows = [
        "class.csv: line 3: column source: 'bert.sh': No such file",
        "class.csv: line 4: column language: unknown language 'klingon'",
        "2 of 3 rows cannot be sent, so nothing was",
    ];
    refused(&said, 2, &rows);
    scene.write("empty.csv", "student,source\n");
    refused(&say(&["sum", "--batch", "empty.csv"]), 2, &["empty.csv", "no submissions"]);
    assert!(!scene.path("class.csv.journal").exists(), "a refusal leaves nothing");
}
