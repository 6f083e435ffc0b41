//! The rest of the process's way to the broker.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use tokio::sync::{Notify, mpsc, oneshot};

use super::intake::{Intake, Order};
use super::link::{Addresses, Link};
use super::publisher::{Progress, Publication, Publisher};
use super::topology::VERDICTS;
use crate::cache::Digest;
use crate::queue::backlog::{Backlog, Job, Tag};
use crate::queue::health::Health;
use crate::queue::worker::{Outlet, Settlement};
use crate::report::{Event, EventKind, Report};

/// Events that wait to be told; beyond it they are dropped.
const MOST_EVENTS: usize = 1000;
/// How often a thread that waits for a confirmation looks whether it should give up.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long closing may take.
const CLOSING: Duration = Duration::from_secs(5);

/// Connections to a broker, on a thread of their own.
#[derive(Debug)]
pub struct Amqp {
    orders: mpsc::UnboundedSender<Order>,
    publications: mpsc::UnboundedSender<Publication>,
    progress: mpsc::Sender<Progress>,
    given_up: AtomicBool,
    lost: AtomicBool,
}

/// Closes the backlog with the thread that fills it, however that ends: nobody may wait for what cannot come.
struct EndOfIntake(Arc<Backlog>);

impl Drop for EndOfIntake {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The thread or its runtime cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the thread of the queue: {0}")]
pub struct AmqpStartError(#[from] io::Error);

impl Amqp {
    /// Starts connecting; what arrives is offered to the backlog, and no more of each class than `slots` and
    /// one are held at once.
    ///
    /// # Errors
    /// [`AmqpStartError`]; a broker that cannot be reached is none, it is tried for ever.
    pub fn start(
        addresses: &Addresses,
        worker: &str,
        slots: usize,
        backlog: Arc<Backlog>,
        health: Health,
    ) -> Result<Self, AmqpStartError> {
        let (orders, order_receiver) = mpsc::unbounded_channel();
        let (publications, publication_receiver) = mpsc::unbounded_channel();
        let (progress, progress_receiver) = mpsc::channel(MOST_EVENTS);
        let closing = Arc::new(Notify::new());
        let end = EndOfIntake(Arc::clone(&backlog));
        let intake = Intake {
            link: Link::new(addresses.clone(), "consuming", worker, health.clone()),
            backlog,
            prefetch: u16::try_from(slots + 1).unwrap_or(u16::MAX),
            orders: order_receiver,
            own_orders: orders.clone(),
            publications: publications.clone(),
            stopping: false,
        };
        let publisher = Publisher {
            link: Link::new(addresses.clone(), "publishing", worker, health),
            publications: publication_receiver,
            progress: progress_receiver,
            closing: Arc::clone(&closing),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("broker".to_owned()).spawn(move || {
            let _end = end;
            runtime.block_on(async {
                let publishing = tokio::spawn(publisher.run());
                intake.run().await;
                closing.notify_one();
                // Whatever it still had was given up by whoever asked for the end.
                let _ = tokio::time::timeout(CLOSING, publishing).await;
            });
        })?;
        Ok(Self {
            orders,
            publications,
            progress,
            given_up: AtomicBool::new(false),
            lost: AtomicBool::new(false),
        })
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
            let _ = waiting.recv_timeout(CLOSING);
        }
    }

    fn order(&self, order: Order) {
        // Fails only when the thread is gone, and with it everything an order could be about.
        let _ = self.orders.send(order);
    }
}

impl Outlet for Amqp {
    fn progress(&self, event: &Event) {
        if let Ok(body) = serde_json::to_vec(event) {
            // Full: dropped rather than delaying a verdict.
            if self.progress.try_send(Progress { kind: kind(&event.kind).to_owned(), body }).is_err() {
                crate::instruments::progress_dropped();
            }
        }
    }

    fn verdict(&self, job: &Job, report: &Report) -> Settlement {
        let body = match serde_json::to_vec(report) {
            Ok(body) => body,
            Err(error) => {
                tracing::error!(%error, "a report cannot be written");
                return Settlement::Return;
            }
        };
        let (confirmed, confirmation) = sync_channel(1);
        let publication = Publication {
            exchange: VERDICTS,
            key: format!("verdict.{}", report.verdict.id()),
            body,
            properties: properties(job),
            confirmed: Box::new(move || {
                let _ = confirmed.send(());
            }),
        };
        if self.publications.send(publication).is_ok() {
            loop {
                match confirmation.recv_timeout(LOOK_EVERY) {
                    Ok(()) => return Settlement::Done,
                    Err(RecvTimeoutError::Timeout) if !self.given_up.load(Ordering::SeqCst) => {}
                    Err(_) => break,
                }
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
}

fn properties(job: &Job) -> BasicProperties {
    let key = job.key();
    let name = format!("{}/{}", key.id, key.judging);
    let name = ShortString::try_new(name.clone()).unwrap_or_else(|_| Digest::of(name).to_string().into());
    let mut headers = FieldTable::default();
    if job.delivery.redelivered {
        headers.insert("x-redelivered".into(), AMQPValue::Boolean(true));
    }
    BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(2)
        .with_message_id(name)
        .with_type("done".into())
        .with_headers(headers)
}

fn kind(event: &EventKind) -> &'static str {
    match event {
        EventKind::Accepted { .. } => "accepted",
        EventKind::Compiling => "compiling",
        EventKind::Compiled { .. } => "compiled",
        EventKind::Test { .. } => "test",
        EventKind::Group { .. } => "group",
        EventKind::Cancelled => "cancelled",
        EventKind::Error { .. } => "error",
        EventKind::Done(_) => "done",
    }
}
