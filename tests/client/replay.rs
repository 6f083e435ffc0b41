//! `gavel replay --queue`: through a broker and its workers.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::common::{SUM, said, text};
use crate::stage::{Process, Stage};

#[test]
fn every_copy_gets_one_verdict_whatever_dies_meanwhile() {
    let mut stage = Stage::new();
    for (id, program) in [("good", SUM), ("wrong", "echo 1\n")] {
        let submission = json!({"schema": 1, "id": id, "language": "bash", "problem": {"ref": "sum"},
                                "files": [{"name": "main.sh", "text": program}]});
        stage.scene.write(&format!("recorded/{id}.json"), submission.to_string());
    }
    let recorded = stage.scene.path("recorded");
    let replay = |more: &[&str]| {
        let address = stage.node.address();
        let arguments =
            [&["replay", text(&recorded), "--queue", &address, "--format", "json"], more].concat();
        stage.scene.gavel(&arguments)
    };
    // Nobody judges: everything is missing, and that is said.
    let missing = said(replay(&["--patience", "1s"]).output().unwrap());
    assert_eq!(missing.code, 3, "{missing:?}");
    assert!(missing.stderr.contains("are there workers?"), "{missing:?}");

    // A worker dies, then the broker, then all goes on.
    let mut replaying = replay(&["--count", "400", "--window", "50"]);
    let worker = stage.worker();
    let replaying = Process::start(&mut replaying);
    while stage.depth("gavel.results") < 60 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    worker.signal(Signal::SIGKILL);
    drop(worker);
    stage.node.kill_and_restart();
    let worker = stage.worker();
    let all = replaying.end();
    assert_eq!(all.code, 0, "{all:?}");
    let result: Value = serde_json::from_str(&all.stdout).unwrap();
    assert_eq!((&result["judged"], &result["missing"]), (&400.into(), &0.into()), "{all:?}");
    assert_eq!(result["verdicts"], json!({"AC": 200, "WA": 200}));
    for step in ["queue", "compile", "run", "wire", "total"] {
        assert!(result["latency_ms"][step]["p50"].as_f64().unwrap() >= 0.0, "{all:?}");
    }

    // The address from the environment, at a rate.
    let rated = stage.say(&["replay", text(&recorded), "--count", "3", "--rate", "4", "--queue"]);
    assert_eq!(rated.code, 0, "{rated:?}");
    assert!(rated.stdout.contains("3 judged in") && rated.stdout.contains("wire"), "{rated:?}");
    stage.stop(worker);
}
