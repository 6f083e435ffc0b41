//! A RabbitMQ node of one test's own: free ports, its own directories, ended with the test.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lapin::message::BasicGetMessage;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::Value;

/// Far longer than anything takes; reached only by what hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// A node and what it runs on.
pub(crate) struct Node {
    directory: tempfile::TempDir,
    port: u16,
    distribution_port: u16,
    mapper_port: u16,
    /// Erlang's port mapper: ours, or the node would leave one behind.
    mapper: Child,
    server: Child,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The server's own script; the one in `/usr/sbin` changes the user.
fn script() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/rabbitmq/lib")
        .expect("RabbitMQ is not installed: run deploy/setup.sh --with-broker");
    let found =
        versions.map(|entry| entry.unwrap().path().join("sbin/rabbitmq-server")).find(|path| path.exists());
    found.expect("no rabbitmq-server below /usr/lib/rabbitmq/lib")
}

impl Node {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (port, distribution_port, mapper_port) = (free_port(), free_port(), free_port());
        let mapper = Command::new("epmd")
            .args(["-address", "127.0.0.1", "-port", &mapper_port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let server = spawn(directory.path(), port, distribution_port, mapper_port);
        let node = Self { directory, port, distribution_port, mapper_port, mapper, server };
        node.wait();
        node
    }

    /// Kills it at once and starts it again on what it had on disk.
    pub(crate) fn kill_and_restart(&mut self) {
        self.kill();
        self.server = spawn(self.directory.path(), self.port, self.distribution_port, self.mapper_port);
        self.wait();
    }

    pub(crate) fn address(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    fn wait(&self) {
        let deadline = Instant::now() + PATIENCE;
        let runtime = runtime();
        while let Err(error) = runtime.block_on(connect(&self.address())) {
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(self.directory.path().join("output")).unwrap_or_default();
                panic!("the broker does not start: {error}\n{log}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn kill(&mut self) {
        let _ = killpg(Pid::from_raw(self.server.id().try_into().unwrap()), Signal::SIGKILL);
        let _ = self.server.wait();
    }
}

#[allow(dead_code)] // For tests/deploy/.
impl Node {
    /// Runs the administrator's tool on it; what it printed.
    pub(crate) fn administer(&self, arguments: &[&str]) -> String {
        let output = Command::new(script().with_file_name("rabbitmqctl"))
            .env("HOME", self.directory.path())
            .env("ERL_EPMD_PORT", self.mapper_port.to_string())
            .env("RABBITMQ_CONF_ENV_FILE", self.directory.path().join("env.conf"))
            .args(["--quiet", "--node", &format!("gavel{}@localhost", self.port)])
            .args(arguments)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "rabbitmqctl {arguments:?}: {said}");
        said
    }

    /// Its address for another user.
    pub(crate) fn address_of(&self, user: &str, password: &str, vhost: &str) -> String {
        format!("amqp://{user}:{password}@127.0.0.1:{}/{vhost}", self.port)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        let _ = self.mapper.kill();
        let _ = self.mapper.wait();
    }
}

fn spawn(directory: &Path, port: u16, distribution_port: u16, mapper_port: u16) -> Child {
    let output = std::fs::File::create(directory.join("output")).unwrap();
    for name in ["plugins", "conf", "env.conf"] {
        std::fs::write(directory.join(name), if name == "plugins" { "[]." } else { "" }).unwrap();
    }
    std::fs::rename(directory.join("conf"), directory.join("rabbitmq.conf")).unwrap();
    let path = |name: &str| directory.join(name);
    Command::new(script())
        .env("HOME", directory)
        .env("RABBITMQ_NODENAME", format!("gavel{port}@localhost"))
        .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODE_PORT", port.to_string())
        .env("RABBITMQ_DIST_PORT", distribution_port.to_string())
        .env("RABBITMQ_MNESIA_BASE", path("mnesia"))
        .env("RABBITMQ_LOG_BASE", path("log"))
        .env("RABBITMQ_PID_FILE", path("pid"))
        .env("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins"))
        .env("RABBITMQ_CONF_ENV_FILE", path("env.conf"))
        .env("ERL_EPMD_PORT", mapper_port.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env(
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}",
        )
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .process_group(0)
        .spawn()
        .unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn connect(address: &str) -> Result<Connection, String> {
    let connecting = Connection::connect(address, ConnectionProperties::default());
    match tokio::time::timeout(Duration::from_secs(10), connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer".to_owned()),
    }
}

/// A backend's view of the broker.
pub(crate) struct Client {
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
        let runtime = runtime();
        let (connection, channel) = runtime.block_on(async {
            let connection = connect(&node.address()).await.unwrap();
            let channel = connection.create_channel().await.unwrap();
            (connection, channel)
        });
        Self { runtime, _connection: connection, channel }
    }

    pub(crate) fn publish(&self, exchange: &str, key: &str, body: &str) {
        let properties = BasicProperties::default().with_delivery_mode(2);
        self.runtime.block_on(async {
            let options = BasicPublishOptions::default();
            self.channel
                .basic_publish(exchange.into(), key.into(), options, body.as_bytes(), properties)
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
        self.runtime.block_on(async {
            let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
            self.channel.queue_declare("progress".into(), options, FieldTable::default()).await.unwrap();
            let options = QueueBindOptions::default();
            self.channel
                .queue_bind(
                    "progress".into(),
                    "gavel.progress".into(),
                    "#".into(),
                    options,
                    FieldTable::default(),
                )
                .await
                .unwrap();
        });
    }

    /// Waits for a queue to exist, that is for a first worker to have declared it.
    pub(crate) fn wait_for_topology(&mut self, node: &Node) {
        let deadline = Instant::now() + PATIENCE;
        while self.depth("gavel.dead").is_none() {
            assert!(Instant::now() < deadline, "no worker declares its queues");
            std::thread::sleep(Duration::from_millis(100));
            *self = Self::new(node);
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
