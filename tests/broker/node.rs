//! A RabbitMQ node of one test's own: free ports, its own directories, ended with the test.
#![allow(dead_code)] // Every test file uses a part of it.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lapin::message::BasicGetMessage;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions, QueueBindOptions,
    QueueDeclareOptions, QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::Value;

use crate::common::guardian;
pub(crate) use crate::common::mapper::Mapper;
use crate::common::rabbitmq::{free_port, script};

/// Far longer than anything takes; reached only by what hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// What all nodes of a cluster know each other by.
const COOKIE: &str = "GAVELTESTS";

/// A node and what it runs on.
pub(crate) struct Node {
    directory: tempfile::TempDir,
    port: u16,
    distribution_port: u16,
    mapper: Arc<Mapper>,
    server: Child,
}

static SHARED: LazyLock<Node> = LazyLock::new(Node::start);

impl Node {
    pub(crate) fn start() -> Self {
        let node = Self::spawn(Arc::new(Mapper::start()));
        node.wait();
        node
    }

    /// Begins to start; all nodes with one mapper can become a cluster.
    pub(crate) fn spawn(mapper: Arc<Mapper>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (port, distribution_port) = (free_port(), free_port());
        let cookie = directory.path().join(".erlang.cookie");
        std::fs::write(&cookie, COOKIE).unwrap();
        std::fs::set_permissions(&cookie, Permissions::from_mode(0o400)).unwrap();
        guardian::watch_folder(directory.path());
        let server = spawn(directory.path(), port, distribution_port, &mapper);
        Self { directory, port, distribution_port, mapper, server }
    }

    /// Kills it at once and starts it again on what it had on disk.
    pub(crate) fn kill_and_restart(&mut self) {
        self.kill();
        self.restart();
        self.wait();
    }

    /// Begins to start again on what it had on disk.
    pub(crate) fn restart(&mut self) {
        self.server = spawn(self.directory.path(), self.port, self.distribution_port, &self.mapper);
    }

    /// The node that tests share which hurt nothing but a virtual host of their own.
    pub(crate) fn shared() -> &'static Self {
        &SHARED
    }

    /// Evaluates Erlang expressions on the node, in milliseconds where `rabbitmqctl` takes seconds.
    pub(crate) fn evaluate(&self, expressions: &str) -> String {
        // Two at once would have one name, and one of them be refused.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut call = Command::new("erl_call")
            .env("HOME", self.directory.path())
            .envs(self.mapper.environment())
            .args(["-sname", &self.name(), "-c", COOKIE, "-e"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(call.stdin.take().unwrap(), "{expressions}").unwrap();
        let output = call.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.starts_with("{ok, "), "{expressions}: {text}");
        text
    }

    /// What the nodes of a cluster call it.
    pub(crate) fn name(&self) -> String {
        node_name(self.port)
    }

    /// Runs `rabbitmqctl` on this node; what it printed.
    pub(crate) fn control(&self, arguments: &[&str]) -> String {
        let output = Command::new(script("rabbitmqctl"))
            .env("HOME", self.directory.path())
            .envs(self.mapper.environment())
            .env("RABBITMQ_CONF_ENV_FILE", self.directory.path().join("env.conf"))
            .args(["--quiet", "--node", &self.name()])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "rabbitmqctl {arguments:?}: {text}{errors}\n{}", self.log());
        text
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("output")).unwrap_or_default()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// Waits until it takes connections.
    pub(crate) fn wait(&self) {
        let deadline = Instant::now() + PATIENCE;
        let runtime = runtime();
        loop {
            // Somebody else may answer where it was to listen: then it says nothing, and ends.
            let attempt = if self.log().contains("completed with") {
                runtime.block_on(connect(&self.address()))
            } else {
                Err("it has not said that it is complete".to_owned())
            };
            let Err(error) = attempt else { return };
            if Instant::now() > deadline {
                panic!("the broker does not start: {error}\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn kill(&mut self) {
        let _ = killpg(Pid::from_raw(self.server.id().try_into().unwrap()), Signal::SIGKILL);
        let _ = self.server.wait();
    }
}

impl Node {
    /// Its address for another user.
    pub(crate) fn address_of(&self, user: &str, password: &str, vhost: &str) -> String {
        format!("amqp://{user}:{password}@127.0.0.1:{}/{vhost}", self.port)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(directory: &Path, port: u16, distribution_port: u16, mapper: &Mapper) -> Child {
    let output = std::fs::File::create(directory.join("output")).unwrap();
    for name in ["plugins", "conf", "env.conf"] {
        std::fs::write(directory.join(name), if name == "plugins" { "[]." } else { "" }).unwrap();
    }
    std::fs::rename(directory.join("conf"), directory.join("rabbitmq.conf")).unwrap();
    let path = |name: &str| directory.join(name);
    let server = Command::new(script("rabbitmq-server"))
        // A node that fails dumps its core there.
        .current_dir(directory)
        .env("HOME", directory)
        .env("RABBITMQ_NODENAME", node_name(port))
        .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODE_PORT", port.to_string())
        .env("RABBITMQ_DIST_PORT", distribution_port.to_string())
        .env("RABBITMQ_MNESIA_BASE", path("mnesia"))
        .env("RABBITMQ_LOG_BASE", path("log"))
        .env("RABBITMQ_PID_FILE", path("pid"))
        .env("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins"))
        .env("RABBITMQ_CONF_ENV_FILE", path("env.conf"))
        .envs(mapper.environment())
        .env(
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}",
        )
        // Where a node that fails leaves its dumps.
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .process_group(0)
        .spawn()
        .unwrap();
    guardian::watch_group(&server);
    server
}

fn node_name(port: u16) -> String {
    format!("gavel{port}@localhost")
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

pub(crate) async fn connect(address: &str) -> Result<Connection, String> {
    let connecting = Connection::connect(address, ConnectionProperties::default());
    match tokio::time::timeout(Duration::from_secs(10), connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer".to_owned()),
    }
}

/// A backend's view of the broker.
pub(crate) struct Client {
    address: String,
    runtime: tokio::runtime::Runtime,
    _connection: Connection,
    channel: Channel,
}

/// A message that was fetched.
pub(crate) struct Fetched {
    pub(crate) body: Value,
    pub(crate) raw: Vec<u8>,
    pub(crate) key: String,
    pub(crate) properties: BasicProperties,
}

impl Fetched {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let headers = self.properties.headers().as_ref()?;
        headers.inner().get(name).map(|value| match value {
            AMQPValue::LongString(text) => String::from_utf8(text.as_bytes().to_vec()).unwrap(),
            other => format!("{other:?}"),
        })
    }
}

impl Client {
    pub(crate) fn new(node: &Node) -> Self {
        Self::at(&node.address())
    }

    pub(crate) fn at(address: &str) -> Self {
        let runtime = runtime();
        let (connection, channel) = runtime.block_on(async {
            let connection = connect(address).await.unwrap();
            let channel = connection.create_channel().await.unwrap();
            (connection, channel)
        });
        Self { address: address.to_owned(), runtime, _connection: connection, channel }
    }

    /// Does something that [`Client`] has no word for.
    pub(crate) fn with<T>(&self, act: impl AsyncFnOnce(&Channel) -> lapin::Result<T>) -> T {
        self.runtime.block_on(act(&self.channel)).unwrap()
    }

    pub(crate) fn publish(&self, exchange: &str, key: &str, body: &str) {
        self.publish_with(exchange, key, body.as_bytes(), BasicProperties::default().with_delivery_mode(2));
    }

    pub(crate) fn publish_with(&self, exchange: &str, key: &str, body: &[u8], properties: BasicProperties) {
        self.runtime.block_on(async {
            let options = BasicPublishOptions::default();
            self.channel
                .basic_publish(exchange.into(), key.into(), options, body, properties)
                .await
                .unwrap()
                .await
                .unwrap();
        });
    }

    pub(crate) fn submit(&self, class: &str, submission: &Value) {
        self.publish("gavel.submit", &format!("judge.{class}"), &submission.to_string());
    }

    /// A queue that gets all progress.
    pub(crate) fn follow_progress(&self) {
        self.follow("progress", "gavel.progress");
    }

    /// A queue of this client's own that gets everything from an exchange.
    pub(crate) fn follow(&self, queue: &str, exchange: &str) {
        self.runtime.block_on(async {
            let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
            self.channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
            let options = QueueBindOptions::default();
            self.channel
                .queue_bind(queue.into(), exchange.into(), "#".into(), options, FieldTable::default())
                .await
                .unwrap();
        });
    }

    /// Waits for a queue to exist, that is for a first worker to have declared it.
    pub(crate) fn wait_for_topology(&mut self) {
        self.wait_for("gavel.dead");
    }

    /// The same for one queue.
    pub(crate) fn wait_for(&mut self, queue: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.depth(queue).is_none() {
            assert!(Instant::now() < deadline, "no worker declares {queue}");
            std::thread::sleep(Duration::from_millis(100));
            *self = Self::at(&self.address);
        }
    }

    /// Messages ready in a queue; `None` where there is none.
    pub(crate) fn depth(&self, queue: &str) -> Option<u32> {
        self.runtime.block_on(async {
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let queue = self.channel.queue_declare(queue.into(), options, FieldTable::default()).await;
            queue.ok().map(|queue| queue.message_count())
        })
    }

    /// Waits until so many messages are ready in a queue.
    #[track_caller]
    pub(crate) fn wait_for_depth(&self, queue: &str, depth: u32) {
        let deadline = Instant::now() + PATIENCE;
        while self.depth(queue) != Some(depth) {
            assert!(Instant::now() < deadline, "{queue} never has {depth} messages: {:?}", self.depth(queue));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Throws away what is ready in a queue.
    pub(crate) fn purge(&self, queue: &str) {
        let purging = self.channel.queue_purge(queue.into(), QueuePurgeOptions::default());
        self.runtime.block_on(purging).unwrap();
    }

    pub(crate) fn try_fetch(&self, queue: &str) -> Option<Fetched> {
        let message: Option<BasicGetMessage> = self.runtime.block_on(async {
            let message = self.channel.basic_get(queue.into(), BasicGetOptions::default()).await.unwrap();
            if let Some(message) = &message {
                message.acker.ack(BasicAckOptions::default()).await.unwrap();
            }
            message
        });
        message.map(|message| Fetched {
            body: serde_json::from_slice(&message.delivery.data).unwrap_or(Value::Null),
            raw: message.delivery.data.clone(),
            key: message.delivery.routing_key.as_str().to_owned(),
            properties: message.delivery.properties.clone(),
        })
    }

    /// Fetches the next message of a queue and gives it back.
    pub(crate) fn give_back(&self, queue: &str) {
        self.runtime.block_on(async {
            let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
            while let Ok(message) = self.channel.basic_get(queue.into(), BasicGetOptions::default()).await {
                if let Some(message) = message {
                    message.acker.nack(options).await.unwrap();
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            panic!("{queue} cannot be read");
        });
    }

    /// The next message of a queue.
    pub(crate) fn fetch(&self, queue: &str) -> Fetched {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(fetched) = self.try_fetch(queue) {
                return fetched;
            }
            assert!(Instant::now() < deadline, "nothing comes to {queue}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until a test of this submission was told.
    pub(crate) fn wait_for_test(&self, id: &str) {
        loop {
            let event = self.fetch("progress").body;
            if event["type"] == "test" && event["id"] == id {
                return;
            }
        }
    }
}
