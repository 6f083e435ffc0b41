//! A backend as it should be: it submits with confirmations, reads verdicts, and survives its broker.
//!
//! What it submitted counts once the broker confirmed it; what was not confirmed is published again. Every
//! verdict is kept with its bytes, so that whatever was answered twice can be looked at.
#![allow(dead_code)] // Every test file uses a part of it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::future::Future;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Confirmation};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::node::{PATIENCE, connect, runtime};

/// The longest wait for one answer of a broker; then the connection is made again.
const ANSWER: Duration = Duration::from_secs(30);
/// Publications that wait for their confirmation at once.
const UNCONFIRMED: usize = 64;

/// A connected backend.
pub(crate) struct Backend {
    publications: mpsc::UnboundedSender<Publication>,
    ledger: Arc<Ledger>,
    /// Ends with the process of the test at the latest; told to by the closed channel.
    threads: Vec<std::thread::JoinHandle<()>>,
}

struct Publication {
    exchange: &'static str,
    key: String,
    body: Vec<u8>,
    /// What is to be answered.
    id: Option<String>,
}

/// What went out and what came back.
#[derive(Default)]
struct Ledger {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    submitted: BTreeMap<String, Submitted>,
    confirmed: usize,
    answers: BTreeMap<String, Vec<Answer>>,
    /// In the order they came.
    order: Vec<String>,
    closing: bool,
}

/// What became of a submission on its way out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Submitted {
    pub(crate) publishes: u32,
    pub(crate) is_confirmed: bool,
}

/// A verdict that came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    pub(crate) body: Value,
    pub(crate) key: String,
    pub(crate) message: String,
    /// Whether the worker or the broker said that it may be a repeat.
    pub(crate) is_flagged: bool,
    pub(crate) received: Instant,
}

impl Backend {
    /// Connects to any of the brokers and to whichever still lives later on.
    pub(crate) fn start(addresses: &[String]) -> Self {
        let (publications, receiver) = mpsc::unbounded_channel();
        let ledger = Arc::new(Ledger::default());
        let publisher = Publisher { ledger: Arc::clone(&ledger), addresses: addresses.to_vec(), receiver };
        let (own, addresses) = (Arc::clone(&ledger), addresses.to_vec());
        let threads = vec![
            std::thread::spawn(move || runtime().block_on(publisher.run())),
            std::thread::spawn(move || runtime().block_on(collect(&own, &addresses))),
        ];
        Self { publications, ledger, threads }
    }

    /// Submits to a class, sooner or later.
    pub(crate) fn submit(&self, class: &str, submission: &Value) {
        let id = submission["id"].as_str().unwrap().to_owned();
        let judging = submission["judging"].as_str().unwrap_or("1");
        let id = if judging == "1" { id } else { format!("{id}/{judging}") };
        // One that is sent twice counts all its publishes.
        self.ledger.lock().submitted.entry(id.clone()).or_default();
        self.send("gavel.submit", format!("judge.{class}"), submission.to_string(), Some(id));
    }

    /// Asks for a submission's judging to end.
    pub(crate) fn cancel(&self, id: &str) {
        let cancel = json!({"schema": 1, "type": "cancel", "id": id, "judging": "1"});
        self.send("gavel.control", String::new(), cancel.to_string(), None);
    }

    /// Publishes whatever it is, sooner or later, under a name to ask after its confirmation by.
    pub(crate) fn publish(&self, key: &str, body: &str, name: &str) {
        self.ledger.lock().submitted.insert(name.to_owned(), Submitted::default());
        self.send("gavel.submit", key.to_owned(), body.to_owned(), Some(name.to_owned()));
    }

    /// Publishes to the verdicts itself: what comes back has been to no worker.
    pub(crate) fn echo(&self, id: &str, size: usize) {
        self.ledger.lock().submitted.insert(id.to_owned(), Submitted::default());
        let echo = json!({"id": id, "judging": "1", "verdict": "AC", "filler": "x".repeat(size)});
        self.send("gavel.verdicts", "verdict.AC".to_owned(), echo.to_string(), Some(id.to_owned()));
    }

    fn send(&self, exchange: &'static str, key: String, body: String, id: Option<String>) {
        let publication = Publication { exchange, key, body: body.into_bytes(), id };
        assert!(self.publications.send(publication).is_ok(), "the publishing thread has ended");
    }

    /// Everything that was submitted.
    pub(crate) fn submitted(&self) -> BTreeMap<String, Submitted> {
        self.ledger.lock().submitted.clone()
    }

    /// Everything that came back, by id.
    pub(crate) fn answers(&self) -> BTreeMap<String, Vec<Answer>> {
        self.ledger.lock().answers.clone()
    }

    /// Ids in the order their first answers came.
    pub(crate) fn order(&self) -> Vec<String> {
        self.ledger.lock().order.clone()
    }

    /// How many submissions have an answer.
    pub(crate) fn answered(&self) -> usize {
        self.ledger.lock().order.len()
    }

    /// Waits until so many submissions have an answer; says what is missing when nothing comes for minutes.
    #[track_caller]
    pub(crate) fn wait_for_answers(&self, count: usize) {
        self.wait(count, |state| state.order.len());
    }

    /// Waits until so many publications were confirmed.
    #[track_caller]
    pub(crate) fn wait_for_confirmations(&self, count: usize) {
        self.wait(count, |state| state.confirmed);
    }

    #[track_caller]
    fn wait(&self, count: usize, have: impl Fn(&State) -> usize) {
        let mut state = self.ledger.lock();
        let (mut last, mut since) = (have(&state), Instant::now());
        while last < count {
            let (next, timeout) = self.ledger.changed.wait_timeout(state, Duration::from_secs(1)).unwrap();
            state = next;
            let now = have(&state);
            if now > last {
                (last, since) = (now, Instant::now());
            }
            let is_stuck = timeout.timed_out() && since.elapsed() > PATIENCE;
            assert!(!is_stuck, "nothing more comes: {last} of {count}\n{}", missing(&state));
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.ledger.lock().closing = true;
        self.publications = mpsc::unbounded_channel().0;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn missing(state: &State) -> String {
    let mut text = String::new();
    for (id, submitted) in &state.submitted {
        if !state.answers.contains_key(id) {
            let _ = writeln!(text, "no answer: {id} {submitted:?}");
        }
    }
    text
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn is_closing(&self) -> bool {
        self.lock().closing
    }

    fn published(&self, publication: &Publication) {
        if let Some(id) = &publication.id {
            self.lock().submitted.get_mut(id).unwrap().publishes += 1;
        }
    }

    fn confirmed(&self, publication: &Publication) {
        if let Some(id) = &publication.id {
            let mut state = self.lock();
            state.confirmed += 1;
            state.submitted.get_mut(id).unwrap().is_confirmed = true;
            self.changed.notify_all();
        }
    }

    fn answered(&self, delivery: &Delivery) {
        let body: Value = serde_json::from_slice(&delivery.data).unwrap();
        let (id, judging) = (body["id"].as_str().unwrap(), body["judging"].as_str().unwrap());
        let id = if judging == "1" { id.to_owned() } else { format!("{id}/{judging}") };
        let properties = &delivery.properties;
        let headers = properties.headers().as_ref();
        let says_so = headers.and_then(|headers| headers.inner().get("x-redelivered"));
        let answer = Answer {
            bytes: delivery.data.clone(),
            body,
            key: delivery.routing_key.to_string(),
            message: properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default(),
            is_flagged: matches!(says_so, Some(AMQPValue::Boolean(true))),
            received: Instant::now(),
        };
        let mut state = self.lock();
        if !state.answers.contains_key(&id) {
            state.order.push(id.clone());
        }
        let known = state.answers.entry(id).or_default();
        // What the broker gives out again to us is the same message and no answer of its own.
        if !delivery.redelivered || known.iter().all(|other| other.bytes != answer.bytes) {
            known.push(answer);
        }
        self.changed.notify_all();
    }
}

struct Publisher {
    ledger: Arc<Ledger>,
    addresses: Vec<String>,
    receiver: mpsc::UnboundedReceiver<Publication>,
}

impl Publisher {
    async fn run(mut self) {
        let mut waiting = VecDeque::new();
        for address in self.addresses.clone().iter().cycle() {
            match self.serve(address, &mut waiting).await {
                Ok(()) => return,
                Err(_) if self.ledger.is_closing() => return,
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    /// Publishes until there is nothing more to come. What is in `waiting` has no confirmation yet.
    async fn serve(&mut self, address: &str, waiting: &mut VecDeque<Publication>) -> Result<(), String> {
        let connection = connect(address).await?;
        let channel = answer(connection.create_channel()).await?;
        answer(channel.confirm_select(ConfirmSelectOptions::default())).await?;
        loop {
            if waiting.is_empty() {
                match self.receiver.recv().await {
                    Some(publication) => waiting.push_back(publication),
                    None => return Ok(()),
                }
            }
            while waiting.len() < UNCONFIRMED
                && let Ok(publication) = self.receiver.try_recv()
            {
                waiting.push_back(publication);
            }
            let mut confirmations = VecDeque::new();
            for publication in &*waiting {
                self.ledger.published(publication);
                let options = BasicPublishOptions {
                    mandatory: publication.id.is_some(),
                    ..BasicPublishOptions::default()
                };
                let publishing = channel.basic_publish(
                    publication.exchange.into(),
                    publication.key.as_str().into(),
                    options,
                    &publication.body,
                    BasicProperties::default().with_delivery_mode(2),
                );
                confirmations.push_back(answer(publishing).await?);
            }
            for confirmation in confirmations {
                // A queue without a majority, or one that does not exist yet: the same again, later.
                match answer(confirmation).await? {
                    Confirmation::Ack(None) => {}
                    other => return Err(format!("{other:?}")),
                }
                if let Some(publication) = waiting.pop_front() {
                    self.ledger.confirmed(&publication);
                }
            }
        }
    }
}

async fn answer<T, E: ToString>(awaited: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match tokio::time::timeout(ANSWER, awaited).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("no answer".to_owned()),
    }
}

async fn collect(ledger: &Ledger, addresses: &[String]) {
    for address in addresses.iter().cycle() {
        if consume(ledger, address).await.is_ok() || ledger.is_closing() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn consume(ledger: &Ledger, address: &str) -> Result<(), String> {
    let connection = connect(address).await?;
    let channel = answer(connection.create_channel()).await?;
    answer(channel.basic_qos(500, BasicQosOptions::default())).await?;
    let options = BasicConsumeOptions::default();
    let consuming = channel.basic_consume("gavel.results".into(), "".into(), options, FieldTable::default());
    let mut consumer = answer(consuming).await?;
    loop {
        let next = std::future::poll_fn(|context| {
            futures_core::Stream::poll_next(std::pin::Pin::new(&mut consumer), context)
        });
        match tokio::time::timeout(Duration::from_millis(200), next).await {
            Ok(Some(Ok(delivery))) => {
                ledger.answered(&delivery);
                answer(delivery.acker.ack(BasicAckOptions::default())).await?;
            }
            Ok(Some(Err(error))) => return Err(error.to_string()),
            Ok(None) => return Err("the consumer ended".to_owned()),
            Err(_) if ledger.is_closing() => return Ok(()),
            Err(_) => {}
        }
    }
}
