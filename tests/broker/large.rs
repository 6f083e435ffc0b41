//! Submissions and outputs that are far too large: an answer that says so, and a worker that stays small.

use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::json;

use super::backend::Backend;
use super::common::SUM;
use super::fleet::Fleet;
use super::invariants::check_queues;
use super::node::Client;
use super::site::{Site, submission};

#[test]
fn what_is_far_too_large_is_refused_or_cut_and_the_worker_stays_small() {
    let site = Site::new();
    let mut fleet = Fleet::new(&site.scene, &[site.address()], &["--slots", "1"]);
    fleet.start(0);
    let backend = Backend::start(&[site.address()]);

    backend.submit("normal", &submission("flood", "head -c 1073741824 /dev/zero\n"));
    backend.wait_for_answers(1);
    // With its connections, and its boxes for this language.
    let usual = fleet.anonymous_kib(0);
    let peak = fleet.peak_kib(0);
    assert!(peak < 96 << 10, "{peak} KiB for 1 GiB of output");

    let mut large = submission("large", "");
    large["files"] = json!([{"name": "main.sh", "text": format!("{SUM}exit\n{}", "#".repeat(64 << 20))}]);
    let mut many = submission("many", SUM);
    let tests = vec![json!({"input": "1 2\n", "answer": "3\n"}); 100_000];
    many["problem"] = json!({"inline": tests});
    backend.submit("normal", &large);
    backend.submit("normal", &many);
    backend.submit("normal", &submission("next", SUM));
    // Headers come in one frame, which may be as large as the sender's frames.
    let mut headers = FieldTable::default();
    headers.insert("x-huge".into(), AMQPValue::LongString("x".repeat(100 << 10).into()));
    let properties = BasicProperties::default().with_headers(headers);
    let headed = submission("headed", SUM).to_string();
    site.client.with(async |channel| {
        let options = BasicPublishOptions::default();
        let (exchange, key) = ("gavel.submit".into(), "judge.normal".into());
        channel.basic_publish(exchange, key, options, headed.as_bytes(), properties).await?.await
    });
    backend.wait_for_answers(5);
    // Three of them at most: as it came, as text, and what growing takes.
    let peak = fleet.peak_kib(0);
    assert!(peak < 400 << 10, "{peak} KiB for a source of 64 MiB");
    // What was needed for a moment goes back to the system.
    super::fleet::wait_until("the worker is small again", || fleet.anonymous_kib(0) < usual + (8 << 10));

    let answers = backend.answers();
    let what = |id: &str| {
        let report = &answers[id][0].body;
        (report["verdict"].as_str().unwrap(), report.to_string())
    };
    let (verdict, report) = what("flood");
    assert!(verdict == "OLE" && report.contains("more output than 8MiB"), "{report}");
    let (verdict, report) = what("large");
    assert!(verdict == "CE" && report.contains("takes at most 128KiB"), "{report}");
    let (verdict, report) = what("many");
    assert!(verdict == "JE" && report.contains("100000 inline tests; give 1 to 10000"), "{report}");
    assert_eq!((what("next").0, what("headed").0), ("AC", "AC"));
    fleet.stop_all();
    drop(backend);
    check_queues(&Client::at(&site.address()), 0..=0);
}
