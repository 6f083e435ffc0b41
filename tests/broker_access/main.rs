//! How a worker, and those who send it submissions, get into a broker: TLS, passwords, certificates, and what it says and does when they are wrong.

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod authority;
mod broker;
#[path = "../common/mod.rs"]
mod common;
mod front;
mod senders;
mod worker;

use authority::{Authority, Ends, replace};
use broker::{FIRST_PASSWORD, shared};
use common::{SUM, Scene};
use front::Front;
use serde_json::{Value, json};
use worker::Worker;

fn submission(id: &str) -> Value {
    json!({"schema": 1, "id": id, "language": "bash", "problem": {"inline": [{"input": "1 2\n", "answer": "3\n"}]},
           "files": [{"name": "main.sh", "text": SUM}]})
}

#[test]
fn a_broker_s_certificate_is_verified_and_a_better_one_is_taken_without_a_restart() {
    let (scene, broker) = (Scene::new(), shared());
    let (ours, others) = (Authority::new("ours"), Authority::new("others"));
    let front = Front::new(broker.port, &others.broker("localhost", Ends::Late), None);
    let configuration =
        format!("queue = \"amqps://localhost:{}/verified\"\n[tls]\nca_file = \"ca.pem\"\n", front.port());
    let mut worker = Worker::start(&scene, &configuration, &[]);
    worker.wait_for(&["tls.ca_file", "ca.pem", "No such file"]);
    scene.write("ca.pem", "this is no certificate");
    worker.wait_for(&["tls.ca_file", "no certificate in it"]);
    scene.write("ca.pem", ours.pem());
    let line = worker.wait_for(&["localhost", "authority that is not in tls.ca_file"]);
    assert!(line.contains("WARN"), "{line}");

    front.change(&ours.broker("other.example", Ends::Late), None);
    worker.wait_for(&["certificate is for", "other.example", "not for localhost"]);
    front.change(&ours.broker("localhost", Ends::Past), None);
    worker.wait_for(&["its certificate expired on 2021-01-01", "renew"]);
    front.change(&ours.broker("localhost", Ends::Late), None);
    worker.wait_until_connected();
    let backend = broker.backend("verified");
    backend.submit(&submission("verified"));
    assert_eq!(backend.verdict()["verdict"], "AC");

    front.change(&ours.broker("localhost", Ends::Late), Some(&ours));
    worker.wait_for(&["demands a certificate of clients", "tls.certificate_file"]);
    front.change(&ours.broker("localhost", Ends::Late), None);
    worker.wait_until_connected_again();
    worker.stop();
}

#[test]
fn a_worker_s_certificate_is_read_again_for_every_connection() {
    let (scene, broker) = (Scene::new(), shared());
    let (ours, others) = (Authority::new("ours"), Authority::new("others"));
    let front = Front::new(broker.port, &ours.broker("localhost", Ends::Late), Some(&ours));
    scene.write("ca.pem", ours.pem());
    let files = (scene.path("worker.pem"), scene.path("worker.key"));
    let configuration = format!(
        "queue = \"amqps://localhost:{}/mutual\"\n[tls]\nca_file = \"ca.pem\"\n\
         certificate_file = \"worker.pem\"\nkey_file = \"worker.key\"\n",
        front.port()
    );
    let mut worker = Worker::start(&scene, &configuration, &[]);
    worker.wait_for(&["tls.certificate_file", "worker.pem", "No such file"]);
    ours.worker("worker", Ends::Late).write(&files.0, &files.1);
    replace(&files.1, &ours.worker("worker", Ends::Late).key);
    worker.wait_for(&["tls.key_file", "it is not the key of tls.certificate_file"]);
    others.worker("worker", Ends::Late).write(&files.0, &files.1);
    worker.wait_for(&["does not know the authority of our certificate"]);
    ours.worker("worker", Ends::Past).write(&files.0, &files.1);
    worker.wait_for(&["our certificate has expired", "renew tls.certificate_file"]);
    ours.worker("worker", Ends::Late).write(&files.0, &files.1);
    worker.wait_until_connected();

    // One that is renewed is used for the next connection.
    ours.worker("worker", Ends::Past).write(&files.0, &files.1);
    front.cut();
    worker.wait_for(&["our certificate has expired"]);
    ours.worker("worker", Ends::Late).write(&files.0, &files.1);
    worker.wait_until_connected_again();
    let said = worker.stop();
    assert!(!said.contains("docs.rs"), "the words of a library for programmers:\n{said}");
}

#[test]
fn rabbitmq_s_own_tls_takes_a_password_or_a_certificate_for_it() {
    let (scene, broker) = (Scene::new(), shared());
    let queue = format!("queue = \"amqps://localhost:{}/own\"\n", broker.tls_port);
    let authority = broker.file("ca.pem").display().to_string();
    let backend = broker.backend("own");
    let mut by_password = Worker::start(&scene, &format!("{queue}[tls]\nca_file = \"{authority}\"\n"), &[]);
    by_password.wait_until_connected();
    backend.submit(&submission("password"));
    assert_eq!(backend.verdict()["verdict"], "AC");
    by_password.stop();

    broker
        .authority
        .worker("external", Ends::Late)
        .write(&scene.path("worker.pem"), &scene.path("worker.key"));
    let files = format!(
        "[tls]\nca_file = \"{authority}\"\ncertificate_file = \"worker.pem\"\nkey_file = \"worker.key\"\n"
    );
    let configuration = format!("{queue}[amqp]\nauthentication = \"certificate\"\n{files}");
    let mut by_certificate = Worker::start(&scene, &configuration, &[]);
    by_certificate.wait_until_connected();
    backend.submit(&submission("certificate"));
    assert_eq!(backend.verdict()["verdict"], "AC");
    broker.control(&["delete_user", "external"]);
    by_certificate.wait_for(&["refuses the user of our certificate", "no such user"]);
    by_certificate.stop();

    // What a port without TLS answers is no TLS.
    let wrong = queue.replace(&broker.tls_port.to_string(), &broker.port.to_string());
    let mut lost = Worker::start(&scene, &format!("{wrong}[tls]\nca_file = \"{authority}\"\n"), &[]);
    lost.wait_for(&["does not speak TLS there"]);
    lost.stop();
}

#[test]
fn passwords_are_read_again_for_every_connection_and_written_nowhere() {
    let (scene, broker) = (Scene::new(), shared());
    let second = "geheim-second-2";
    let file = scene.path("credentials");
    std::fs::write(&file, "rotating\nwrong-geheim-0\n").unwrap();
    let configuration = format!(
        "queue = \"amqp://localhost:{}/rotating\"\n[amqp]\ncredentials_file = \"credentials\"\n",
        broker.port
    );
    let mut worker = Worker::start(&scene, &configuration, &[]);
    worker.wait_for(&["WARN", "credentials", "everybody on this host may read it", "chmod 600"]);
    let refused = ["refuses user 'rotating'", "password from amqp.credentials_file", "wrong password"];
    worker.wait_for(&refused);
    std::fs::remove_file(&file).unwrap();
    worker.wait_for(&["amqp.credentials_file", "No such file"]);
    replace(&file, "rotating\n\n");
    worker.wait_for(&["amqp.credentials_file", "empty line"]);
    replace(&file, &format!("rotating\n{FIRST_PASSWORD}\n"));
    worker.wait_until_connected();

    broker.control(&["change_password", "rotating", second]);
    broker.control(&["close_all_connections", "--vhost", "rotating", "the password is changed"]);
    worker.wait_for(&refused);
    replace(&file, &format!("rotating\n{second}\n"));
    worker.wait_until_connected_again();
    let backend = broker.backend("rotating");
    backend.submit(&submission("rotated"));
    assert_eq!(backend.verdict()["verdict"], "AC");
    let said = worker.stop();
    assert!(!said.contains("geheim"), "a password in what the worker says:\n{said}");
}

#[test]
fn a_wrong_virtual_host_is_said_and_used_once_it_is_there() {
    let (scene, broker) = (Scene::new(), shared());
    let queue = format!("amqp://elsewhere:geheim-3@localhost:{}/late", broker.port);
    let mut worker = Worker::start(&scene, "", &[("GAVEL_QUEUE", &queue)]);
    worker.wait_for(&["refuses user 'elsewhere' in virtual host 'late'", "permissions"]);
    broker.make_vhost("late", "elsewhere");
    worker.wait_until_connected();
    let said = worker.stop();
    assert!(!said.contains("geheim"), "a password in what the worker says:\n{said}");
}

#[test]
fn nobody_there_and_an_unknown_host_are_told_apart() {
    let scene = Scene::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let queue = format!("queue = [\"amqp://localhost:{port}\", \"amqp://nowhere.invalid\"]\n");
    let mut worker = Worker::start(&scene, &queue, &[("GAVEL_AMQP_PASSWORD", "geheim-4")]);
    worker.wait_for(&[&format!("localhost:{port}/"), "cannot be reached", "refused"]);
    worker.wait_for(&["nowhere.invalid:5672/", "cannot be reached"]);
    let said = worker.stop();
    assert!(!said.contains("geheim"), "a password in what the worker says:\n{said}");
}

#[test]
fn a_worker_holds_as_many_submissions_as_its_settings_say() {
    let (scene, broker) = (Scene::new(), shared());
    let configuration = format!(
        "queue = \"amqp://localhost:{}/settings\"\ndeadline = \"1ms\"\nraise_limits = true\n[amqp]\nprefetch = 4\n",
        broker.port
    );
    let mut worker = Worker::start(&scene, &configuration, &[]);
    worker.wait_until_connected();
    let backend = broker.backend("settings");
    worker.stop();
    for number in 0..7 {
        let mut submission = submission(&number.to_string());
        submission["files"][0]["text"] = "sleep 3600\n".into();
        submission["limits"] = json!({"wall": "1h"});
        backend.submit(&submission);
    }
    backend.wait_for_depth("gavel.judge.normal", 7);
    // With one slot it would hold two if nobody had said anything.
    let worker = Worker::start(&scene, &configuration, &[]);
    backend.wait_for_depth("gavel.judge.normal", 3);
    worker.stop();
}
