//! Where a RabbitMQ server of a test's own listens, and its scripts.

use std::net::TcpListener;
use std::path::PathBuf;

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A script of the server's own; those in `/usr/sbin` change the user.
pub(crate) fn script(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/rabbitmq/lib")
        .expect("RabbitMQ is not installed: run deploy/setup.sh --with-broker");
    let found =
        versions.map(|entry| entry.unwrap().path().join("sbin").join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("no {name} below /usr/lib/rabbitmq/lib"))
}
