//! What callers have of it: posts in, news out.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel as news_channel};
use std::time::Duration;

use tokio::sync::mpsc;

use super::super::link::{Addresses, Link};
use super::super::topology::{CONTROL, PROGRESS, VERDICTS};
use super::connect::{SUBMIT, SubmitterError};
use super::session::{Order, Session};
use crate::queue::message::Key;
use crate::submission::Priority;

/// How long closing may take.
const CLOSING: Duration = Duration::from_secs(10);

/// A message to be published.
#[derive(Debug, Clone)]
pub struct Post {
    /// The caller's name for it in [`News`].
    pub number: u64,
    pub(super) exchange: &'static str,
    pub(super) routing_key: String,
    pub(super) message_id: String,
    pub(super) body: Vec<u8>,
}

impl Post {
    /// A submission, for the queue of its class.
    pub fn submission(number: u64, key: &Key, priority: Priority, body: Vec<u8>) -> Self {
        let class = match priority {
            Priority::Contest => "contest",
            Priority::Normal => "normal",
            Priority::Rejudge => "rejudge",
        };
        Self {
            number,
            exchange: SUBMIT,
            routing_key: format!("judge.{class}"),
            message_id: key.message_id(),
            body,
        }
    }

    /// A control message, for every worker.
    pub fn control(number: u64, key: &Key, body: Vec<u8>) -> Self {
        Self { number, exchange: CONTROL, routing_key: String::new(), message_id: key.message_id(), body }
    }
}

/// Where a verdict stands in its queue; given back once it is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    pub(super) connection: u64,
    pub(super) delivery: u64,
}

/// What happened at the broker.
#[derive(Debug)]
pub enum News {
    /// Connected. `missed` when the queue for verdicts had to be made: what was decided before is not told.
    Connected {
        /// Whether verdicts of earlier posts may be lost to this caller.
        missed: bool,
    },
    /// The connection is gone and is being made again.
    Lost(String),
    /// The broker has the message.
    Taken(u64),
    /// No queue takes the message; it was not kept.
    Unroutable(u64),
    /// Somebody's verdict.
    Verdict(Receipt, Vec<u8>),
    /// Somebody's event on the way to one.
    Progress(Vec<u8>),
    /// It is over; nothing more comes.
    Failed(SubmitterError),
}

/// How to send.
#[derive(Debug, Clone)]
pub struct SubmitterOptions {
    /// Name of the queue that collects verdicts; `None` for those who do not wait for any.
    pub queue: Option<String>,
    /// How long that queue outlives its last user.
    pub keep: Duration,
    /// Whether to be told progress.
    pub progress: bool,
    /// What the broker shows as the connection's name.
    pub name: String,
}

/// A sender of submissions; dropping it closes the connection and leaves the queue for verdicts.
#[derive(Debug)]
pub struct Submitter {
    orders: mpsc::UnboundedSender<Order>,
    news: Receiver<News>,
    ended: Receiver<()>,
}

impl Submitter {
    /// Starts connecting.
    ///
    /// # Errors
    /// [`SubmitterError::Start`]; all others come as [`News::Failed`].
    pub fn start(addresses: &Addresses, options: SubmitterOptions) -> Result<Self, SubmitterError> {
        let (orders, order_receiver) = mpsc::unbounded_channel();
        let (news_sender, news) = news_channel();
        let (end, ended) = news_channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let link = Link::new(addresses.clone(), "submitting", &options.name, None);
        let session = Session::new(link, options, order_receiver, news_sender);
        std::thread::Builder::new().name("broker".to_owned()).spawn(move || {
            // Dropped with the thread, which whoever closes waits for.
            let _end = end;
            runtime.block_on(session.run());
        })?;
        Ok(Self { orders, news, ended })
    }

    /// Publishes; [`News::Taken`] follows.
    pub fn publish(&self, post: Post) {
        self.order(Order::Publish(post));
    }

    /// The verdict, and all that were told before it over the same connection, need not be told again.
    pub fn acknowledge(&self, receipt: Receipt) {
        self.order(Order::Acknowledge(receipt));
    }

    /// The next news; `None` when there is none for so long, or ever again after [`News::Failed`].
    pub fn news(&self, patience: Duration) -> Option<News> {
        match self.news.recv_timeout(patience) {
            Ok(news) => Some(news),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(patience);
                None
            }
        }
    }

    /// Closes the connection, for at most a few seconds; with `delete`, the queue for verdicts goes, too.
    pub fn close(self, delete: bool) {
        self.order(Order::Close { delete });
        // Ends when the thread does, or is given up: the broker drops the queue by itself some time later.
        let _ = self.ended.recv_timeout(CLOSING);
    }

    fn order(&self, order: Order) {
        // Fails only when the thread has ended, and that was told as news.
        let _ = self.orders.send(order);
    }
}

/// What a queue for verdicts is bound to: by another key than `gavel.results`, so that a user may be given the right to
/// bind this way and none to undo what others bound.
pub(super) const VERDICT_BINDING: (&str, &str) = (VERDICTS, "verdict.*");
/// What a queue for progress is bound to.
pub(super) const PROGRESS_BINDING: (&str, &str) = (PROGRESS, "progress.#");
