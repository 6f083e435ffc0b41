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
    refused(&say(&["sum", "anna.sh", "--journal", "anna.sh"]), 2, &["anna.sh", "no journal"]);
    scene.write("class.csv", "student,source,language\nanna,anna.sh,\nbert,bert.sh,\ncarl,anna.sh,klingon\n");
    let said = say(&["sum", "--batch", "class.csv"]);
    let rows = [
        "class.csv: line 3: column source: source 'bert.sh': No such file",
        "class.csv: line 4: column language: unknown language 'klingon'",
        "2 of 3 rows cannot be sent, so nothing was",
    ];
    refused(&said, 2, &rows);
    scene.write("empty.csv", "student,source\n");
    refused(&say(&["sum", "--batch", "empty.csv"]), 2, &["empty.csv", "no submissions"]);
    assert!(!scene.path("class.csv.journal").exists(), "a refusal leaves nothing");
}
