//! A RabbitMQ node with users, virtual hosts and TLS, shared by the tests that run at the moment.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use lapin::options::{BasicAckOptions, BasicGetOptions, BasicPublishOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::authority::{Authority, Ends, replace};
use crate::common::guardian;
use crate::common::mapper::Mapper;
use crate::common::rabbitmq::{free_port, script};

/// Far longer than anything takes; reached only by what hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// A node and what it runs on.
pub(crate) struct Broker {
    directory: tempfile::TempDir,
    pub(crate) authority: Authority,
    pub(crate) port: u16,
    pub(crate) tls_port: u16,
    distribution_port: u16,
    mapper: Mapper,
    server: Child,
}

/// The node of the tests that run now; gone with the last of them.
pub(crate) fn shared() -> Arc<Broker> {
    static NODE: Mutex<Weak<Broker>> = Mutex::new(Weak::new());
    let mut node = NODE.lock().unwrap_or_else(PoisonError::into_inner);
    node.upgrade().unwrap_or_else(|| {
        let started = Arc::new(Broker::start());
        *node = Arc::downgrade(&started);
        started
    })
}

fn configuration(directory: &Path, port: u16, tls_port: u16) -> String {
    let file = |name: &str| directory.join(name).display().to_string();
    format!(
        "listeners.tcp.1 = 127.0.0.1:{port}\nlisteners.ssl.1 = 127.0.0.1:{tls_port}\n\
         ssl_options.cacertfile = {}\nssl_options.certfile = {}\nssl_options.keyfile = {}\n\
         ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = false\n\
         auth_mechanisms.1 = PLAIN\nauth_mechanisms.2 = EXTERNAL\nssl_cert_login_from = common_name\n",
        file("ca.pem"),
        file("broker.pem"),
        file("broker.key")
    ) + &format!("load_definitions = {}\n", file("definitions.json"))
}

/// Users with their passwords, and virtual hosts with the user that may use each; guest may use them all.
const USERS: &[(&str, &str)] = &[
    ("guest", "guest"),
    ("rotating", FIRST_PASSWORD),
    ("external", "unused"),
    ("elsewhere", "geheim-3"),
    ("sender", SENDER_PASSWORD),
    ("certified", "unused"),
];
const VHOSTS: &[(&str, &str)] = &[
    ("/", "guest"),
    ("verified", "guest"),
    ("mutual", "guest"),
    ("own", "external"),
    ("rotating", "rotating"),
    ("senders", "sender"),
    ("settings", "guest"),
    ("certified", "certified"),
];

/// What the user `sender` has.
pub(crate) const SENDER_PASSWORD: &str = "geheim-sender-5";

/// What the user `rotating` begins with.
pub(crate) const FIRST_PASSWORD: &str = "geheim-first-1";

fn definitions() -> Value {
    let users: Vec<_> = USERS
        .iter()
        .map(|(name, password)| json!({"name": name, "password": password, "tags": ""}))
        .collect();
    let vhosts: Vec<_> = VHOSTS.iter().map(|(name, _)| json!({"name": name})).collect();
    let permissions: Vec<_> = VHOSTS
        .iter()
        .flat_map(|(vhost, user)| [("guest", vhost), (*user, vhost)])
        .map(|(user, vhost)| {
            json!({"user": user, "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*"})
        })
        .collect();
    json!({"users": users, "vhosts": vhosts, "permissions": permissions})
}

impl Broker {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let authority = Authority::new("gavel's test authority");
        replace(&path("ca.pem"), &authority.pem());
        authority.broker("localhost", Ends::Late).write(&path("broker.pem"), &path("broker.key"));
        let (port, tls_port) = (free_port(), free_port());
        replace(&path("rabbitmq.conf"), &configuration(directory.path(), port, tls_port));
        replace(&path("definitions.json"), &definitions().to_string());
        replace(&path("plugins"), "[rabbitmq_auth_mechanism_ssl].");
        replace(&path("env.conf"), "");
        let (distribution_port, mapper) = (free_port(), Mapper::start());
        let output = std::fs::File::create(path("output")).unwrap();
        let mut command = Command::new(script("rabbitmq-server"));
        surroundings(&mut command, directory.path(), port, &mapper);
        guardian::watch_folder(directory.path());
        let server = command
            .env("RABBITMQ_DIST_PORT", distribution_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", path("mnesia"))
            .env("RABBITMQ_LOG_BASE", path("log"))
            .env("RABBITMQ_PID_FILE", path("pid"))
            .env("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins"))
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}",
            )
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .process_group(0)
            .spawn()
            .unwrap();
        guardian::watch_group(&server);
        let broker = Self { directory, authority, port, tls_port, distribution_port, mapper, server };
        broker.wait();
        broker
    }

    fn wait(&self) {
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = self.try_connect("%2f") {
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(self.directory.path().join("output")).unwrap_or_default();
                panic!("the broker does not start on port {}: {error}\n{log}", self.distribution_port);
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn try_connect(&self, vhost: &str) -> Result<Backend, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let address = format!("amqp://guest:guest@127.0.0.1:{}/{vhost}", self.port);
        let connecting = Connection::connect(&address, ConnectionProperties::default());
        let connection = runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(10), connecting).await })
            .map_err(|_| "no answer".to_owned())?
            .map_err(|error| error.to_string())?;
        Ok(Backend { connection, runtime })
    }

    /// Somebody who submits, in a virtual host.
    pub(crate) fn backend(&self, vhost: &str) -> Backend {
        self.try_connect(vhost).unwrap()
    }

    /// Runs `rabbitmqctl`.
    pub(crate) fn control(&self, arguments: &[&str]) {
        let mut command = Command::new(script("rabbitmqctl"));
        surroundings(&mut command, self.directory.path(), self.port, &self.mapper);
        let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Makes a virtual host for guest and this user.
    pub(crate) fn make_vhost(&self, vhost: &str, user: &str) {
        let permit = |user: &str| {
            format!(
                "rabbit_auth_backend_internal:set_permissions(<<\"{user}\">>, <<\"{vhost}\">>, <<\".*\">>, \
                 <<\".*\">>, <<\".*\">>, <<\"test\">>)"
            )
        };
        // Each start of the tool takes seconds: one for all.
        let make = format!(
            "rabbit_vhost:add(<<\"{vhost}\">>, <<\"test\">>), {}, {}.",
            permit("guest"),
            permit(user)
        );
        self.control(&["eval", &make]);
    }

    /// Where the broker's own files are, its authority's certificate among them.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = killpg(Pid::from_raw(self.server.id().try_into().unwrap()), Signal::SIGKILL);
        let _ = self.server.wait();
    }
}

/// What the server and its control have in common.
fn surroundings(command: &mut Command, directory: &Path, port: u16, mapper: &Mapper) {
    command
        .env("HOME", directory)
        .env("RABBITMQ_NODENAME", format!("gavel{port}@localhost"))
        .env("RABBITMQ_CONF_ENV_FILE", directory.join("env.conf"))
        .envs(mapper.environment());
}

/// Somebody who submits and reads verdicts, over a connection without TLS.
pub(crate) struct Backend {
    connection: Connection,
    runtime: tokio::runtime::Runtime,
}

impl Backend {
    /// Submits, once a worker has made the queues.
    pub(crate) fn submit(&self, submission: &Value) {
        let deadline = Instant::now() + PATIENCE;
        self.runtime.block_on(async {
            loop {
                let channel = self.connection.create_channel().await.unwrap();
                let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
                if channel.queue_declare("gavel.dead".into(), options, FieldTable::default()).await.is_ok() {
                    break;
                }
                assert!(Instant::now() < deadline, "no worker declares its queues");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let channel = self.connection.create_channel().await.unwrap();
            let (properties, options) = (BasicProperties::default(), BasicPublishOptions::default());
            let body = submission.to_string();
            channel
                .basic_publish(
                    "gavel.submit".into(),
                    "judge.normal".into(),
                    options,
                    body.as_bytes(),
                    properties,
                )
                .await
                .unwrap();
        });
    }

    /// Waits until so many messages of a queue are with nobody.
    pub(crate) fn wait_for_depth(&self, queue: &str, depth: u32) {
        let deadline = Instant::now() + PATIENCE;
        self.runtime.block_on(async {
            let channel = self.connection.create_channel().await.unwrap();
            loop {
                let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
                let found =
                    channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
                if found.message_count() == depth {
                    return;
                }
                assert!(Instant::now() < deadline, "{queue} has {} messages", found.message_count());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    }

    /// The next verdict.
    pub(crate) fn verdict(&self) -> Value {
        let deadline = Instant::now() + PATIENCE;
        self.runtime.block_on(async {
            let channel = self.connection.create_channel().await.unwrap();
            loop {
                let options = BasicGetOptions::default();
                if let Some(message) = channel.basic_get("gavel.results".into(), options).await.unwrap() {
                    message.acker.ack(BasicAckOptions::default()).await.unwrap();
                    return serde_json::from_slice(&message.delivery.data).unwrap();
                }
                assert!(Instant::now() < deadline, "no verdict comes");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    }
}
