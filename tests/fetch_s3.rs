//! Packages from an S3-compatible store, which checks every signature as the real ones do.

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod common;
#[path = "common/server.rs"]
mod server;

use std::io::Write;
use std::process::Stdio;

use common::{SUM, Scene};
use serde_json::{Value, json};
use server::{Reply, Request, Server, sha256, zip};
use sha2::{Digest, Sha256};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn hmac(key: &[u8], message: &str) -> Vec<u8> {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let padded = |value: u8| block.map(|byte| byte ^ value);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().to_vec()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the query of a request is signed with [`SECRET`], by AWS' specification of version 4:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>.
fn is_signed(request: &Request) -> bool {
    let (path, query) = request.target.split_once('?').unwrap();
    let mut parameters: Vec<_> = query.split('&').collect();
    let value = |name: &str| {
        let found = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        found.unwrap().replace("%2F", "/")
    };
    parameters.retain(|pair| !pair.starts_with("X-Amz-Signature="));
    parameters.sort_unstable();
    assert_eq!(value("X-Amz-SignedHeaders"), "host");
    let host = &request.headers["host"];
    let canonical = format!("GET\n{path}\n{}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD", parameters.join("&"));
    let (date, credential) = (value("X-Amz-Date"), value("X-Amz-Credential"));
    let (_, scope) = credential.split_once('/').unwrap();
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let mut key = format!("AWS4{SECRET}").into_bytes();
    for part in scope.split('/') {
        key = hmac(&key, part);
    }
    hexadecimal(&hmac(&key, &to_sign)) == value("X-Amz-Signature")
}

fn judge(scene: &Scene, server: &Server, secret: Option<&str>, problem: Value) -> Value {
    let mut command = scene.gavel(&["worker", "--quiet", "--allow-url", "s3://problems/"]);
    command.env("GAVEL_FETCH_S3_ENDPOINT", server.url("")).env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    command.env_remove("AWS_SECRET_ACCESS_KEY").env_remove("AWS_SESSION_TOKEN");
    if let Some(secret) = secret {
        command.env("AWS_SECRET_ACCESS_KEY", secret);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let submission = json!({"schema": 1, "id": "s", "language": "bash", "problem": problem,
        "files": [{"name": "main.sh", "text": SUM}]});
    writeln!(child.stdin.take().unwrap(), "{submission}").unwrap();
    let output = child.wait_with_output().unwrap();
    let last = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(last.lines().last().unwrap()).unwrap()
}

#[test]
fn a_package_in_a_bucket_is_fetched_with_a_signature() {
    let scene = Scene::new();
    let bytes = zip(&[("1.in", "1 2\n"), ("1.ans", "3\n")]);
    let server = Server::start(vec![("/problems/a%20contest/sum.zip", Reply::bytes(&bytes))]);
    let problem = json!({"url": "s3://problems/a%20contest/sum.zip", "sha256": sha256(&bytes)});

    let report = judge(&scene, &server, None, problem.clone());
    assert_eq!(report["reason"], "sandbox", "{report}");
    assert!(report["error"].as_str().unwrap().contains("AWS_SECRET_ACCESS_KEY: it is not set"), "{report}");
    assert_eq!(server.seen().len(), 0);

    let other = json!({"url": "s3://secrets/a.zip", "sha256": sha256(&bytes)});
    assert!(judge(&scene, &server, Some(SECRET), other)["error"].as_str().unwrap().contains("--allow-url"));

    let report = judge(&scene, &server, Some(SECRET), problem);
    assert_eq!(report["verdict"], "AC", "{report}");
    assert_eq!(server.seen().len(), 1);
    assert!(is_signed(&server.seen()[0]), "{:?}", server.seen());
}

#[test]
fn a_store_that_refuses_is_told_without_the_signature() {
    let scene = Scene::new();
    let server = Server::start(vec![
        ("/problems/denied.zip", Reply::status(403)),
        ("/problems/moved.zip", Reply::redirect("/problems/denied.zip")),
    ]);
    for (name, expected) in [
        ("denied", "the server answered 403"),
        ("moved", "fetch.s3.region"),
        ("missing", "the server answered 404"),
    ] {
        let problem = json!({"url": format!("s3://problems/{name}.zip"), "sha256": sha256(b"")});
        let report = judge(&scene, &server, Some(SECRET), problem);
        let error = report["error"].as_str().unwrap();
        assert!(error.contains(expected) && !error.contains("Signature"), "{error}");
        assert_eq!(report["reason"], "package");
    }
}
