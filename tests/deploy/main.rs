//! What `deploy/rabbitmq/` and `examples/` promise a backend, on a RabbitMQ node of each test's own.

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod account;
#[path = "../common/mod.rs"]
mod common;
mod examples;
#[path = "../broker/node.rs"]
mod node;
mod operator;
mod symbols;
mod users;
mod worker;

use std::path::{Path, PathBuf};

use base64::Engine;
use common::text;
use node::Node;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The password all users get here.
const PASSWORD: &str = "made-up-for-this-test";
/// The users of the definitions.
const USERS: [&str; 4] = ["gavel-submitter", "gavel-worker", "gavel-reader", "gavel-operator"];

fn deployed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

fn import_definitions(node: &Node) {
    node.control(&["import_definitions", text(&deployed("rabbitmq/definitions.json"))]);
}

/// The definitions with the users' passwords filled in, as an operator may keep them; and with all permissions for
/// an administrator.
fn import_with_passwords(node: &Node) {
    let file = std::fs::read(deployed("rabbitmq/definitions.json")).unwrap();
    let mut definitions: Value = serde_json::from_slice(&file).unwrap();
    for user in definitions["users"].as_array_mut().unwrap() {
        user["password_hash"] = hash(PASSWORD).into();
    }
    let all = json!({"user": "guest", "vhost": "gavel", "configure": ".*", "write": ".*", "read": ".*"});
    definitions["permissions"].as_array_mut().unwrap().push(all);
    let copy = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(copy.path(), definitions.to_string()).unwrap();
    node.control(&["import_definitions", text(copy.path())]);
}

/// What RabbitMQ keeps of a password: a salt of four bytes and the SHA-256 of salt and password, in base64.
fn hash(password: &str) -> String {
    let salt = b"salt";
    let digest = Sha256::digest([salt, password.as_bytes()].concat());
    base64::engine::general_purpose::STANDARD.encode([&salt[..], &digest[..]].concat())
}

fn address(node: &Node, user: &str) -> String {
    node.address_of(user, if user == "guest" { "guest" } else { PASSWORD }, "gavel")
}
