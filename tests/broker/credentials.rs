//! Users, passwords and virtual hosts that the broker refuses, for a while.

use super::common::SUM;
use super::node::Node;
use super::site::{Site, permit, submission};
use super::worker::Worker;

const PASSWORD: &str = "correct-horse";

#[test]
fn a_revoked_password_is_named_without_being_said_and_recovers() {
    let (site, node) = (Site::ready(), Node::shared());
    let user = format!("user-of-{}", site.name);
    let change = |function: &str, password: &str| {
        node.evaluate(&format!(
            "rabbit_auth_backend_internal:{function}(<<\"{user}\">>, <<\"{password}\">>, <<\"test\">>)."
        ));
    };
    change("add_user", PASSWORD);
    permit(&site.name, &user);
    let address = format!("amqp://{user}:{PASSWORD}@127.0.0.1:{}/{}", node.port(), site.name);
    let mut worker = Worker::start(&site.scene, &address, &[]);
    worker.wait_for("connected to the broker role=\"consuming\"");
    change("change_password", "another");
    site.close_workers();
    let place = format!("broker 127.0.0.1:{}/{}: it refuses user '{user}'", node.port(), site.name);
    worker.wait_for(&place);
    site.submit(&submission("late", SUM));
    change("change_password", PASSWORD);
    let answers = site.answers(&["late"]);
    let said = worker.stop();
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!said.stderr.contains(PASSWORD) && !said.stderr.contains("another"), "{said:?}");
    let lines = said.stderr.lines().filter(|line| line.contains(&place)).count();
    assert!(lines <= 3, "one line for each connection: {said:?}");
    node.evaluate(&format!("rabbit_auth_backend_internal:delete_user(<<\"{user}\">>, <<\"test\">>)."));
    site.check(answers, 0);
}

#[test]
fn a_virtual_host_that_is_missing_is_named_and_waited_for() {
    let (site, node) = (Site::ready(), Node::shared());
    let late = format!("{}-late", site.name);
    let address = format!("amqp://guest:guest@127.0.0.1:{}/{late}", node.port());
    let mut worker = Worker::start(&site.scene, &address, &[]);
    worker.wait_for(&format!("virtual host '{late}'"));
    node.evaluate(&format!("rabbit_vhost:add(<<\"{late}\">>, <<\"test\">>)."));
    permit(&late, "guest");
    worker.wait_for("connected to the broker role=\"consuming\"");
    assert_eq!(worker.stop().code, 0);
    node.evaluate(&format!("rabbit_vhost:delete(<<\"{late}\">>, <<\"test\">>)."));
}
