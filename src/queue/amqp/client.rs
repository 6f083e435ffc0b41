//! The rest of the process's way to the broker.

use std::collections::VecDeque;
use std::hash::BuildHasher as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::confirmed::{Confirmed, Decision};
use super::cut::Cut;
use super::decisions::{DecisionListener, Decisions};
use super::intake::{Intake, IntakeState, Order};
use super::limits;
use super::link::{Addresses, BURYING, Link, PUBLISHING, RETURNING, TELLING};
use super::options::{AmqpOptions, ReplyQueues};
use super::publisher::{Outcome, Publication, Publisher, REDELIVERED};
use super::session::Live;
use super::teller::{Tale, Teller};
use super::topology::VERDICTS;
use super::troubles::Troubles;
use crate::queue::backlog::{Backlog, Job, Tag};
use crate::queue::health::Health;
use crate::queue::worker::{Outlet, Settlement};
use crate::report::{Event, EventKind, Report};

/// Events and replies that wait to be told; beyond it they are dropped.
const MOST_TALES: usize = 1000;
/// How often a thread that waits for a confirmation looks whether it should give up.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long closing may take.
const CLOSING: Duration = Duration::from_secs(5);

/// Connections to a broker, on a thread of their own.
#[derive(Debug)]
pub struct Amqp {
    orders: mpsc::UnboundedSender<Order>,
    publications: mpsc::UnboundedSender<Publication>,
    tales: mpsc::Sender<Tale>,
    /// Tales nobody could be told.
    dropped: AtomicU64,
    confirmed: Arc<Confirmed>,
    live: Live,
    replies: ReplyQueues,
    troubles: Troubles,
    given_up: AtomicBool,
    lost: AtomicBool,
}

/// Closes the backlog with the thread that fills it, however that ends: nobody may wait for what cannot come.
struct EndOfIntake(Arc<Backlog>, Health);

impl Drop for EndOfIntake {
    fn drop(&mut self) {
        if std::thread::panicking() {
            end_with(&self.1, "consuming");
        }
        self.0.stop();
    }
}

/// Spawns a task whose panic is told under the name of its role.
fn supervised(
    role: &'static str,
    task: impl Future<Output = ()> + Send + 'static,
    panics: &mpsc::UnboundedSender<&'static str>,
) -> JoinHandle<()> {
    let panics = panics.clone();
    tokio::spawn(async move {
        if tokio::spawn(task).await.is_err() {
            // Fails only when the worker ends anyway.
            let _ = panics.send(role);
        }
    })
}

/// Says that a task has died; the backlog is closed with the thread, and the worker ends.
fn end_with(health: &Health, role: &str) {
    health.complain("broker", format!("the {role} task has panicked; this worker ends"));
    tracing::error!("exiting so that the supervisor restarts this worker: the {role} task has panicked");
}

/// The queue cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum AmqpStartError {
    /// The thread or its runtime cannot be made.
    #[error("cannot start the thread of the queue: {0}")]
    Thread(#[from] io::Error),
    /// A glob of reply queues that is too large.
    #[error("the list of reply queues cannot be used: {0}; shorten it")]
    ReplyQueues(#[from] globset::Error),
}

impl Amqp {
    /// Starts connecting; what arrives is offered to the backlog.
    ///
    /// # Errors
    /// [`AmqpStartError`]; a broker that cannot be reached is none, it is tried for ever.
    pub fn start(
        addresses: &Addresses,
        worker: &str,
        slots: usize,
        backlog: Arc<Backlog>,
        options: AmqpOptions,
    ) -> Result<Self, AmqpStartError> {
        let replies = ReplyQueues::new(&options.reply_to)?;
        let (orders, order_receiver) = mpsc::unbounded_channel();
        let (publications, publication_receiver) = mpsc::unbounded_channel();
        let (burials, burial_receiver) = mpsc::unbounded_channel();
        let (renewals, renewal_receiver) = mpsc::unbounded_channel();
        let (tales, tale_receiver) = mpsc::channel(MOST_TALES);
        let (closing, ending) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (confirmed, live) = (Arc::new(Confirmed::default()), Live::default());
        let instance = instance();
        let end = EndOfIntake(Arc::clone(&backlog), options.health.clone());
        let link = |role, health| Link::new(addresses.clone(), role, worker, health);
        let intake = Intake {
            link: link("consuming", Some(options.health.clone())),
            backlog: Arc::clone(&backlog),
            confirmed: Arc::clone(&confirmed),
            prefetch: options.prefetch.unwrap_or_else(|| u16::try_from(slots + 1).unwrap_or(u16::MAX)),
            slots,
            orders: order_receiver,
            own_orders: orders.clone(),
            burials,
            renewals,
            tales: tales.clone(),
            instance: instance.clone(),
            live: live.clone(),
            state: IntakeState::default(),
            health: options.health.clone(),
            worker: worker.to_owned(),
        };
        let publisher = |link, carries_verdicts, publications, closing: &Arc<Notify>| Publisher {
            link,
            carries_verdicts,
            asks: carries_verdicts,
            is_told_of_submit: false,
            missed: None,
            publications,
            closing: Arc::clone(closing),
            backlog: Arc::clone(&backlog),
            health: options.health.clone(),
            held: VecDeque::new(),
        };
        let (burying, returning) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        // A dead queue that does not answer must hold up no verdict, and no submission on its way to another worker.
        let burier = publisher(link(BURYING, None), false, burial_receiver, &burying);
        let returner = publisher(link(RETURNING, None), false, renewal_receiver, &returning);
        let publisher =
            publisher(link(PUBLISHING, Some(options.health.clone())), true, publication_receiver, &closing);
        let teller = Teller {
            link: link(TELLING, None),
            tales: tale_receiver,
            listener: DecisionListener {
                instance: instance.clone(),
                backlog: Arc::clone(&backlog),
                confirmed: Arc::clone(&confirmed),
            },
            decisions: Decisions::new(instance),
            closing: Arc::clone(&ending),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let health = options.health.clone();
        std::thread::Builder::new().name("broker".to_owned()).spawn(move || {
            let _end = end;
            runtime.block_on(async {
                let (panics, mut panicked) = mpsc::unbounded_channel();
                let publishing = supervised(PUBLISHING, publisher.run(), &panics);
                let telling = supervised(TELLING, teller.run(), &panics);
                let burial = supervised(BURYING, burier.run(), &panics);
                let renewal = supervised(RETURNING, returner.run(), &panics);
                let reply = tokio::select! {
                    reply = intake.run() => reply,
                    // What is left could do a part of the work and be ready for all of it.
                    Some(role) = panicked.recv() => return end_with(&health, role),
                };
                closing.notify_one();
                ending.notify_one();
                burying.notify_one();
                returning.notify_one();
                // Whatever they still had was given up by whoever asked for the end.
                let all = async { (publishing.await, telling.await, burial.await, renewal.await) };
                let _ = tokio::time::timeout(CLOSING, all).await;
                let _ = reply.map(|reply| reply.send(()));
            });
        })?;
        Ok(Self {
            orders,
            publications,
            tales,
            dropped: AtomicU64::new(0),
            confirmed,
            live,
            replies,
            troubles: Troubles::new(options.health),
            given_up: AtomicBool::new(false),
            lost: AtomicBool::new(false),
        })
    }

    /// Events and copies of verdicts that were dropped because nobody could be told in time.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Takes in nothing more, and gives these deliveries back.
    pub fn stop(&self, tags: Vec<Tag>) {
        self.order(Order::Stop);
        self.order(Order::Settle(tags, Settlement::Return));
    }

    /// Waits no longer for confirmations: what has none goes back to its queue.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::SeqCst);
    }

    /// Whether a verdict was given up, its submission left to another worker.
    pub fn has_given_up(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }

    /// Sends what is still to be settled and closes the connections, for at most a few seconds.
    pub fn close(&self) {
        let (reply, closed) = oneshot::channel();
        self.order(Order::Close(reply));
        let (done, waiting) = sync_channel(1);
        let waiter = std::thread::Builder::new().name("closing".to_owned()).spawn(move || {
            let _ = closed.blocking_recv();
            let _ = done.send(());
        });
        if waiter.is_ok() {
            // The process ends either way.
            let _ = waiting.recv_timeout(CLOSING * 2);
        }
    }

    fn order(&self, order: Order) {
        // Fails only when the thread is gone, and with it everything an order could be about.
        let _ = self.orders.send(order);
    }

    fn tell(&self, tale: Tale) {
        // Full: dropped rather than delaying a verdict.
        if self.tales.try_send(tale).is_ok() {
            return;
        }
        crate::instruments::progress_dropped();
        if self.dropped.fetch_add(1, Ordering::Relaxed).is_multiple_of(10_000) {
            tracing::warn!(
                "progress and copies of verdicts cannot be told fast enough, or at all: they are dropped"
            );
        }
    }

    /// Publishes a verdict; what became of it, unless it was given up.
    fn publish(&self, report: &Report, properties: BasicProperties, body: Vec<u8>) -> Option<Outcome> {
        let (settled, settlement) = sync_channel(1);
        let publication = Publication {
            exchange: VERDICTS,
            key: format!("verdict.{}", report.verdict.id()),
            body,
            properties,
            replaces: None,
            settled: Box::new(move |outcome| {
                let _ = settled.send(outcome);
            }),
        };
        self.publications.send(publication).ok()?;
        loop {
            match settlement.recv_timeout(LOOK_EVERY) {
                Ok(outcome) => return Some(outcome),
                Err(RecvTimeoutError::Timeout) if !self.given_up.load(Ordering::SeqCst) => {}
                Err(_) => return None,
            }
        }
    }

    /// The copy of a verdict that its submission asked for.
    fn reply(&self, job: &Job, body: Vec<u8>, properties: BasicProperties) {
        if let Some(Ok(queue)) =
            job.delivery.submission.reply_to.as_deref().map(|queue| self.replies.check(queue))
        {
            self.tell(Tale::Reply { queue, body, properties: Box::new(properties) });
        }
    }
}

impl Outlet for Amqp {
    fn progress(&self, event: &Event) {
        if let Ok(body) = serde_json::to_vec(event) {
            self.tell(Tale::Progress { kind: kind(&event.kind), body });
        }
    }

    fn verdict(&self, job: &Job, report: &Report) -> Settlement {
        let reply_to = job.delivery.submission.reply_to.as_deref();
        let refused = reply_to.and_then(|queue| self.replies.check(queue).err());
        if let Some(problem) = &refused {
            tracing::warn!(id = %job.key().id, "{}", problem.escape_debug());
        }
        for cut in Cut::ALL {
            let body = match cut.body(report) {
                Ok(body) => body,
                Err(error) => {
                    tracing::error!(%error, "a report cannot be written");
                    return Settlement::Return;
                }
            };
            // Asked now: a copy that came just when the first was answered may have looked like another judging.
            let earlier = self.confirmed.earlier(&job.key(), || job.contents);
            // A delivery whose connection is lost has gone back to its queue, and perhaps to another worker.
            let is_repeat = job.delivery.redelivered || earlier.is_some() || !self.live.has(job.delivery.tag);
            let conflicts = earlier.is_some_and(|earlier| !earlier.is_same);
            let properties = properties(job, is_repeat, conflicts, refused.as_deref(), cut);
            match self.publish(report, properties.clone(), body.clone()) {
                Some(Outcome::Confirmed) => {
                    self.confirmed.insert(&job.key(), job.contents);
                    let decision = Decision::new(&job.key(), job.contents);
                    // One that others wait to hear is told at once.
                    self.tell(Tale::Decided { decision, is_urgent: job.cancel.is_cancelled() });
                    self.reply(job, body, properties);
                    self.troubles.are_over_for(&job.key());
                    return Settlement::Done;
                }
                Some(Outcome::TooLarge | Outcome::Refused) => {}
                None => break,
            }
        }
        self.lost.store(true, Ordering::SeqCst);
        Settlement::Return
    }

    fn cut_short(&self, _job: &Job, _report: &Report) -> Settlement {
        self.lost.store(true, Ordering::SeqCst);
        Settlement::Return
    }

    fn settle(&self, _report: &Report, tags: Vec<Tag>, settlement: Settlement) {
        self.order(Order::Settle(tags, settlement));
    }

    fn may_try_elsewhere(&self, job: &Job) -> bool {
        self.troubles.may_return(&job.key())
    }

    fn may_pass_on(&self, job: &Job) -> Result<(), String> {
        let (reply, answer) = oneshot::channel();
        self.order(Order::MayPassOn(job.delivery.tag, reply));
        // Without anyone to answer the connection is gone, and the submission with it.
        answer.blocking_recv().unwrap_or(Ok(()))
    }

    fn is_unwell(&self, problem: &str) {
        self.troubles.begin(problem, || self.order(Order::Pause));
    }

    fn is_well(&self) {
        self.troubles.end(|| self.order(Order::Resume));
    }
}

/// A name for this process that no other has.
fn instance() -> String {
    // Seeded by the operating system, anew for every process.
    let random = std::hash::RandomState::new().hash_one(std::process::id());
    format!("{random:016x}")
}

/// The same for every publish of one verdict.
fn properties(
    job: &Job,
    is_repeat: bool,
    conflicts: bool,
    refused_reply: Option<&str>,
    cut: Cut,
) -> BasicProperties {
    let key = job.key();
    let mut headers = FieldTable::default();
    if is_repeat {
        headers.insert(REDELIVERED.into(), AMQPValue::Boolean(true));
    }
    headers.insert("x-gavel-contents".into(), AMQPValue::LongString(job.contents.to_string().into()));
    if conflicts {
        let text =
            "an earlier submission with this id and judging had other contents, and has a verdict of its own";
        headers.insert("x-gavel-conflict".into(), AMQPValue::LongString(text.into()));
        tracing::warn!(id = %key.id, judging = %key.judging, "{text}");
    }
    if let Some(problem) = refused_reply {
        headers.insert("x-gavel-reply-refused".into(), limits::text(problem));
    }
    if let Some(without) = cut.without() {
        headers.insert("x-gavel-cut".into(), limits::text(without));
    }
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(2)
        .with_message_id(limits::message_id(&key))
        .with_type("done".into())
        .with_headers(headers);
    match job.delivery.correlation_id.as_deref().and_then(limits::short) {
        Some(id) => properties.with_correlation_id(id),
        None => properties,
    }
}

fn kind(event: &EventKind) -> &'static str {
    match event {
        EventKind::Accepted { .. } => "accepted",
        EventKind::Compiling => "compiling",
        EventKind::Compiled { .. } => "compiled",
        EventKind::Test { .. } => "test",
        EventKind::Group { .. } => "group",
        EventKind::Cancelled => "cancelled",
        EventKind::Returned { .. } => "returned",
        EventKind::Error { .. } => "error",
        EventKind::Done(_) => "done",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_panics_is_told_and_one_that_ends_is_not() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (panics, mut panicked) = mpsc::unbounded_channel();
            supervised("well", async {}, &panics).await.unwrap();
            for role in [PUBLISHING, TELLING, BURYING, RETURNING] {
                supervised(role, async { panic!("of the test") }, &panics).await.unwrap();
                assert_eq!(panicked.try_recv(), Ok(role));
            }
            assert!(panicked.try_recv().is_err());
        });
        let health = Health::default();
        end_with(&health, TELLING);
        assert!(health.complaints()[0].1.contains("telling task has panicked"));
    }
}
