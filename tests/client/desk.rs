//! `gavel cancel` and `gavel queue`.

use serde_json::{Value, json};

use crate::common::SUM;
use crate::node::Client;
use crate::stage::{Process, Stage};

/// Never ends by itself.
const ENDLESS: &str = "while true; do sleep 1; done\n";

fn outcomes(stdout: &str, list: &str) -> Vec<(Value, Value)> {
    let result: Value = serde_json::from_str(stdout).unwrap();
    let rows = result[list].as_array().unwrap();
    rows.iter().map(|row| (row["id"].clone(), row["outcome"].clone())).collect()
}

#[test]
fn submissions_are_cancelled_and_the_dead_are_looked_at_and_sent_again() {
    let stage = Stage::new();
    let said = stage.say(&["queue"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("do not exist yet"), "{said:?}");
    let worker = stage.worker();

    // Running, and known to nobody.
    stage.scene.write("endless.sh", ENDLESS);
    let mut submitting = Process::start(&mut stage.gavel(&[
        "submit",
        "sum",
        "endless.sh",
        "--id",
        "endless",
        "--format",
        "ndjson",
        "--wall",
        "1h",
    ]));
    assert!(submitting.line().contains("accepted"));
    let said = stage.say(&["cancel", "endless", "--wait", "--patience", "2min", "--format", "json"]);
    assert_eq!(
        (said.code, outcomes(&said.stdout, "cancels")),
        (0, vec![("endless".into(), "cancelled".into())])
    );
    let said = submitting.end();
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.stdout.contains("\"CX\""), "{said:?}");
    let said =
        stage.say(&["cancel", "nobody", "--judging", "1", "--judging", "2", "--wait", "--patience", "200ms"]);
    assert_eq!((said.code, said.stdout.matches("no answer within").count()), (3, 2), "{said:?}");
    let said = stage.say(&["cancel", "nobody"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("all workers were told"), "{said:?}");

    // Two die; one because its schema is of tomorrow, the other is no JSON.
    let client = Client::new(&stage.node);
    let newer = json!({"schema": 9, "id": "newer", "judging": "1"});
    client.submit("contest", &newer);
    client.publish("gavel.submit", "judge.normal", "\u{1b}[31mnot json");
    stage.wait_for_depth("gavel.dead", 2);
    let said = stage.say(&["queue", "list", "--format", "json"]);
    let lists: Value = serde_json::from_str(&said.stdout).unwrap();
    let find = |name: &str| {
        lists["queues"].as_array().unwrap().iter().find(|row| row["queue"] == name).unwrap().clone()
    };
    assert_eq!(find("gavel.judge.contest")["consumers"], 1);
    assert_eq!((&find("gavel.dead")["ready"], &find("gavel.dead")["consumers"]), (&2.into(), &0.into()));
    // Looked at more often than a broker may allow a message to come back.
    for _ in 0..12 {
        let said = stage.say(&["queue", "dead"]);
        assert_eq!(said.code, 0, "{said:?}");
        for words in [
            "newer",
            "judge.contest",
            "this gavel reads schema 1",
            "\\u{1b}[31mnot json",
            "not a JSON object",
        ] {
            assert!(said.stdout.contains(words), "'{words}': {said:?}");
        }
    }
    assert_eq!(stage.depth("gavel.dead"), 2);

    // Without a terminal and --yes nothing is done.
    let said = stage.say(&["queue", "requeue", "newer"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.starts_with("would requeue newer") && said.stderr.contains("--yes"), "{said:?}");
    assert_eq!(stage.depth("gavel.dead"), 2);
    // A worker that can read it would judge it; this one buries it again. Nothing is lost on the way.
    stage.stop(worker);
    let said = stage.say(&["queue", "requeue", "newer", "elsewhere", "--yes", "--format", "json"]);
    assert_eq!(
        (said.code, outcomes(&said.stdout, "requeue")),
        (3, vec![("newer".into(), "requeued".into())])
    );
    assert!(said.stderr.contains("not among the dead: elsewhere"), "{said:?}");
    assert_eq!((stage.depth("gavel.dead"), stage.depth("gavel.judge.contest")), (1, 1));
    let back = client.fetch("gavel.judge.contest");
    assert_eq!((&back.body, back.key.as_str()), (&newer, "judge.contest"));
    assert_eq!((back.header("x-gavel-reason"), *back.properties.delivery_mode()), (None, Some(2)));
    // What does not say where it came from stays.
    client.publish("gavel.dlx", "dead.elsewhere", SUM);
    let said = stage.say(&["queue", "requeue", "--all", "--yes"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.stdout.contains("still dead") && said.stdout.contains("requeued"), "{said:?}");
    assert_eq!((stage.depth("gavel.dead"), stage.depth("gavel.judge.normal")), (1, 1));
}
