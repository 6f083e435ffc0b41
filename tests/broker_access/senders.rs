//! The commands of those who send submissions: into a broker as a worker gets in, by flags and the environment.

use serde_json::json;

use crate::authority::{Authority, Ends, replace};
use crate::broker::{SENDER_PASSWORD, shared};
use crate::common::{SUM, Said, Scene, said};
use crate::front::Front;
use crate::submission;
use crate::worker::Worker;

/// Runs gavel with nothing in its environment but this that is about a broker.
fn run(scene: &Scene, arguments: &[&str], environment: &[(&str, &str)]) -> Said {
    let mut command = scene.gavel(arguments);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GAVEL_") && name != "GAVEL_CACHE" {
            command.env_remove(name);
        }
    }
    command.env_remove("CREDENTIALS_DIRECTORY").envs(environment.iter().copied());
    said(command.output().unwrap())
}

#[track_caller]
fn refused(said: &Said, parts: &[&str]) {
    assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{said:?}");
    for part in parts {
        assert!(said.stderr.contains(part), "'{part}' is missing: {said:?}");
    }
    assert!(!said.stderr.contains("geheim"), "a password in the message: {said:?}");
}

#[test]
fn every_command_of_a_sender_uses_tls_and_a_password_from_a_file_or_the_environment() {
    let (scene, broker, ours) = (Scene::new(), shared(), Authority::new("ours"));
    let front = Front::new(broker.port, &ours.broker("localhost", Ends::Late), Some(&ours));
    scene.write("ca.pem", ours.pem());
    scene.write("anna.sh", SUM);
    scene.write("recorded/one.json", submission("recorded").to_string());
    scene.sum_package(&[(1, 2)]);
    ours.worker("client", Ends::Late).write(&scene.path("client.pem"), &scene.path("client.key"));
    replace(&scene.path("credentials"), &format!("sender\n{SENDER_PASSWORD}\n"));
    let queue = format!("amqps://localhost:{}/senders", front.port());
    let tls = "[tls]\nca_file = \"ca.pem\"\ncertificate_file = \"client.pem\"\nkey_file = \"client.key\"\n";
    let configuration = format!("queue = \"{queue}\"\n[amqp]\ncredentials_file = \"credentials\"\n{tls}");
    let mut worker = Worker::start(&scene, &configuration, &[]);
    worker.wait_until_connected();
    broker.backend("senders").submit(&submission("first"));
    assert_eq!(broker.backend("senders").verdict()["verdict"], "AC");

    let flags = [
        "--queue",
        &queue,
        "--credentials-file",
        "credentials",
        "--tls-ca-file",
        "ca.pem",
        "--tls-certificate-file",
        "client.pem",
        "--tls-key-file",
        "client.key",
    ];
    let environment = [
        ("GAVEL_QUEUE", queue.as_str()),
        ("GAVEL_AMQP_USER", "sender"),
        ("GAVEL_AMQP_PASSWORD", SENDER_PASSWORD),
        ("GAVEL_TLS_CA_FILE", "ca.pem"),
        ("GAVEL_TLS_CERTIFICATE_FILE", "client.pem"),
        ("GAVEL_TLS_KEY_FILE", "client.key"),
        // An empty one is none, and what is for workers alone is not looked at.
        ("GAVEL_AMQP_CREDENTIALS_FILE", ""),
        ("GAVEL_AMQP_PREFETCH", "many"),
    ];
    for (command, code, shown) in [
        (&["submit", "sum", "anna.sh", "--inline"][..], 0, "AC: "),
        (&["cancel", "nobody"], 0, "all workers were told"),
        (&["queue"], 0, "gavel.judge.contest"),
        (&["queue", "list"], 0, "gavel.judge.contest"),
        (&["queue", "dead"], 0, "nothing is dead"),
        (&["replay", "recorded"], 0, "1 judged in"),
    ] {
        let by_flags = run(&scene, &[command, &flags[..]].concat(), &[]);
        let mut command = command.to_vec();
        match command[0] {
            "replay" => command.push("--queue"),
            // The same once more would have been judged.
            "submit" => command.extend(["--judging", "2"]),
            _ => {}
        }
        let by_environment = run(&scene, &command, &environment);
        for said in [by_flags, by_environment] {
            assert_eq!(said.code, code, "{command:?}: {said:?}");
            assert!(said.stdout.contains(shown), "{command:?}: {said:?}");
            assert!(!format!("{said:?}").contains("geheim"), "{said:?}");
        }
    }
    // A flag wins over its variable.
    let wrong = [("GAVEL_TLS_CA_FILE", "nowhere.pem"), ("GAVEL_AMQP_AUTHENTICATION", "password")];
    let said = run(&scene, &[&["queue"], &flags[..]].concat(), &wrong);
    assert_eq!(said.code, 0, "{said:?}");

    // What is wrong is said with the flags' names: a sender has no file of settings.
    let others = Authority::new("others");
    scene.write("others.pem", others.pem());
    scene.write("wrong", "sender\ngeheim-0\n");
    let with = |place: usize, value: &str| {
        let mut flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
        value.clone_into(&mut flags[place]);
        let arguments: Vec<_> = std::iter::once("queue").chain(flags.iter().map(String::as_str)).collect();
        run(&scene, &arguments, &[])
    };
    refused(&with(3, "wrong"), &["refuses user 'sender'", "password from --credentials-file", "wrong"]);
    refused(&with(3, "nowhere"), &["--credentials-file", "nowhere", "No such file"]);
    refused(&with(5, "others.pem"), &["authority that is not in --tls-ca-file", "others.pem"]);
    refused(&with(5, "nowhere.pem"), &["--tls-ca-file", "nowhere.pem", "No such file"]);
    refused(&with(1, "amqp://localhost/senders"), &["--tls-ca-file", "not be encrypted", "amqps"]);
    refused(&with(1, &queue.replace("//", "//sender:geheim-0@")), &["password", "--credentials-file"]);
    let without_key = run(&scene, &[&["cancel", "x"], &flags[..8]].concat(), &[]);
    refused(&without_key, &["--tls-certificate-file", "--tls-key-file"]);
    let two = run(&scene, &[&["queue"], &flags[..4]].concat(), &environment[2..3]);
    refused(&two, &["GAVEL_AMQP_PASSWORD", "--credentials-file", "give one of them"]);
    let no_broker = run(&scene, &["replay", "recorded", "--tls-ca-file", "ca.pem"], &[]);
    refused(&no_broker, &["--tls-ca-file", "--queue"]);
    worker.stop();
}

#[test]
fn a_sender_s_certificate_may_say_who_it_is() {
    let (scene, broker) = (Scene::new(), shared());
    let authority = broker.file("ca.pem").display().to_string();
    broker
        .authority
        .worker("certified", Ends::Late)
        .write(&scene.path("client.pem"), &scene.path("client.key"));
    let queue = format!("amqps://localhost:{}/certified", broker.tls_port);
    let said = run(
        &scene,
        &["queue", "--format", "json", "--amqp-authentication", "certificate", "--tls-ca-file", &authority],
        &[
            ("GAVEL_QUEUE", &queue),
            ("GAVEL_TLS_CERTIFICATE_FILE", "client.pem"),
            ("GAVEL_TLS_KEY_FILE", "client.key"),
        ],
    );
    assert_eq!(said.code, 0, "{said:?}");
    let shown: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(
        shown["queues"][0],
        json!({"queue": "gavel.judge.contest", "exists": false, "ready": null, "consumers": null})
    );
}
