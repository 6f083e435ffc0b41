//! Takes deliveries in and settles them, over the consuming connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lapin::BasicProperties;
use lapin::message::Delivery as Message;
use lapin::types::{AMQPValue, FieldTable};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant as Deadline;

use super::confirmed::{Acknowledged, Announcement, Confirmed, Decision, Earlier};
use super::link::{Link, LinkError};
use super::parcel::{self, Parcel};
use super::publisher::{Outcome, Publication};
use super::session::{Arrival, Brings, Consuming, Live, Memory, Session};
use super::teller::Tale;
use super::topology::{DEAD, SUBMIT, class_of};
use crate::queue::backlog::{Backlog, Delivery, Offer, Refusal, Tag};
use crate::queue::contents::{Contents, KeyDigest};
use crate::queue::health::Health;
use crate::queue::message::{self, Key, Malformed, parse};
use crate::queue::worker::Settlement;
use crate::submission::{Priority, Submission};
use crate::verdict::Reason;

/// A submission that comes back so often is not tried again: it may well be what ends its workers.
pub(super) const MOST_RETURNS: i64 = 10;

/// Returns of a submission that the broker may count before this worker, which gives back of its own accord, publishes it
/// anew. Until then it goes back to its place in the queue, which a new message does not have; from then on no worker's
/// decision is counted any more, so at least seven of ten counted returns were none.
const MOST_COUNTED: i64 = 3;

/// How long a submission waits here, behind others, before it goes to another worker that may be idle; and how long until
/// that is looked at again. Shorter judgings are over before another worker could have begun.
const MOST_WAITING: Duration = Duration::from_millis(250);

/// How long workers pass on a submission that no worker took which has its package, though not all were asked: some may
/// be busy. Longer than most judgings take.
const PASSING_ON: Duration = Duration::from_secs(600);

/// How long a submission is held that comes back to a worker without its package, before it is passed on again.
const SET_ASIDE: Duration = Duration::from_secs(1);

/// The same while other submissions of its class wait at the broker, which this worker may be able to judge.
const BRIEFLY: Duration = Duration::from_millis(25);

/// How long closing waits for submissions that are published anew.
const RENEWING: Duration = Duration::from_secs(3);

/// All classes, in the backlog's order.
const CLASSES: [Priority; 3] = [Priority::Contest, Priority::Normal, Priority::Rejudge];

/// Before a submission goes back that there was no descriptor for: it would come again at once.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_secs(1);

/// What the rest of the process asks of the intake.
pub(super) enum Order {
    /// The deliveries are over.
    Settle(Vec<Tag>, Settlement),
    /// This worker lacks the package of a delivery: may it go to another? See [`crate::queue::Outlet::may_pass_on`].
    MayPassOn(Tag, oneshot::Sender<Result<(), String>>),
    /// The delivery was to be published anew.
    Renewed(Tag, Outcome),
    /// Take in nothing more.
    Stop,
    /// Take in nothing for now, and give back what waits.
    Pause,
    /// Take in again what [`Order::Pause`] held off.
    Resume,
    /// Close the connection after all orders before this one.
    Close(oneshot::Sender<()>),
}

/// The consuming connection.
pub(super) struct Intake {
    pub(super) link: Link,
    pub(super) backlog: Arc<Backlog>,
    pub(super) confirmed: Arc<Confirmed>,
    pub(super) prefetch: u16,
    pub(super) slots: usize,
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
    /// To settle what was dead-lettered.
    pub(super) own_orders: mpsc::UnboundedSender<Order>,
    /// What goes to the dead queue.
    pub(super) burials: mpsc::UnboundedSender<Publication>,
    /// Submissions that go back as new messages.
    pub(super) renewals: mpsc::UnboundedSender<Publication>,
    /// To tell other workers what was decided, and senders of messages that no verdict can answer what is wrong.
    pub(super) tales: mpsc::Sender<Tale>,
    /// This process, as the other workers know it.
    pub(super) instance: String,
    pub(super) live: Live,
    /// Told what is missing at the broker.
    pub(super) health: Health,
    /// The worker's name in events.
    pub(super) worker: String,
    pub(super) state: IntakeState,
}

/// What an intake was told, connected or not.
#[derive(Default)]
pub(super) struct IntakeState {
    stopping: bool,
    paused: bool,
    /// Submissions that are published anew and not confirmed yet.
    renewing: usize,
    /// Deliveries that go to another worker, or back, when it is time: this one had them before.
    set_aside: Vec<(Deadline, Tag)>,
    /// Whether a class is not consumed until a slot is idle: what waited here went to others.
    is_left_to_others: bool,
    /// When it was last looked at whether others are idle.
    looked: Option<Instant>,
    /// Told to close, and until when that waits.
    closing: Option<(oneshot::Sender<()>, Deadline)>,
}

impl IntakeState {
    fn consuming(&self) -> Consuming {
        match (self.stopping, self.paused) {
            (true, _) => Consuming::Nothing,
            (false, true) => Consuming::Exhausted,
            (false, false) => Consuming::All,
        }
    }

    /// Passes a delivery on after so long.
    fn set_aside(&mut self, tag: Tag, pause: Duration) {
        let deadline = Deadline::now() + pause;
        let place = self.set_aside.partition_point(|(other, _)| *other <= deadline);
        self.set_aside.insert(place, (deadline, tag));
    }
}

impl Intake {
    /// Consumes until told to close; returns whom to tell when all is closed.
    pub(super) async fn run(mut self) -> Option<oneshot::Sender<()>> {
        let mut memory = Memory::of(self.live.clone());
        loop {
            let connection = tokio::select! {
                connection = self.link.connect() => connection,
                reply = closed(&mut self.orders, &mut self.state) => return reply,
            };
            let consuming = self.state.consuming();
            let health = self.health.clone();
            let opening = Session::open(connection, self.prefetch, &mut memory, consuming, health);
            let error = match opening.await {
                Ok(mut session) => match self.serve(&mut session).await {
                    Ok(reply) => {
                        session.close().await;
                        return Some(reply);
                    }
                    Err(error) => error,
                },
                Err(error) => error,
            };
            self.link.failed(&error);
        }
    }

    async fn serve(&mut self, session: &mut Session<'_>) -> Result<oneshot::Sender<()>, LinkError> {
        self.link.was_useful();
        loop {
            if let Some(closing) = self.state.closing.take_if(|_| self.state.renewing == 0) {
                return Ok(closing.0);
            }
            let passes = self.state.set_aside.first().map(|(deadline, _)| *deadline);
            let looks = self.next_look();
            let closes = self.state.closing.as_ref().map(|(_, deadline)| *deadline);
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(order) => self.follow(session, order).await?,
                    // Nobody is left who could ask for anything.
                    None => return Ok(oneshot::channel().0),
                },
                () = until(passes) => {
                    let (_, tag) = self.state.set_aside.remove(0);
                    self.pass_on(session, tag).await?;
                }
                () = until(looks) => self.leave_to_others(session).await?,
                () = until(closes) => self.state.renewing = 0,
                arrival = session.next() => match arrival? {
                    Arrival::Message(place, message) => self.take_in(session, place, *message).await?,
                    Arrival::Ended(place, error) => {
                        self.link.complain(&error.to_string());
                        session.restore(place, error).await?;
                        self.link.was_useful();
                    }
                },
            }
        }
    }

    /// When a submission will have waited here for too long, or a slot may be idle for what was left to others.
    fn next_look(&self) -> Option<Deadline> {
        let longest = self.backlog.longest_waits().into_iter().flatten().min();
        let again = self.state.looked.map(|looked| looked + MOST_WAITING);
        // No order says that a hold was released: see `Backlog::hold`.
        let left = again.filter(|_| self.state.is_left_to_others);
        let due = longest
            .map(|longest| again.map_or(longest + MOST_WAITING, |again| again.max(longest + MOST_WAITING)));
        due.into_iter().chain(left).min().map(Deadline::from_std)
    }

    /// Gives back the submissions that wait here behind others, of classes of which another worker may be idle, and takes
    /// no more of them in until a slot is idle here.
    async fn leave_to_others(&mut self, session: &mut Session<'_>) -> Result<(), LinkError> {
        let now = Instant::now();
        self.state.looked = Some(now);
        if self.backlog.is_held() {
            // What holds it, a broker that takes no verdicts say, holds the others as well.
            return Ok(());
        }
        for (class, since) in CLASSES.into_iter().zip(self.backlog.longest_waits()) {
            let is_overdue = since.is_some_and(|since| now.duration_since(since) >= MOST_WAITING);
            if !is_overdue || !session.others_may_be_idle(class).await {
                continue;
            }
            self.state.is_left_to_others = true;
            let mut tags = session.pause_class(class).await?;
            tags.extend(self.backlog.give_back_class(class));
            tracing::debug!(class = class.id(), given_back = tags.len(), "left to workers that may be idle");
            self.give_back(session, &tags).await?;
        }
        // The slots may have become idle meanwhile.
        self.take_in_again(session).await
    }

    /// Takes in again what was left to others, once a slot is idle here.
    async fn take_in_again(&mut self, session: &mut Session<'_>) -> Result<(), LinkError> {
        let may_take = !self.state.stopping && !self.state.paused;
        if self.state.is_left_to_others && may_take && self.backlog.has_idle_slot(self.slots) {
            self.state.is_left_to_others = false;
            session.resume(Consuming::All).await?;
        }
        Ok(())
    }

    async fn follow(&mut self, session: &mut Session<'_>, order: Order) -> Result<(), LinkError> {
        match order {
            Order::Settle(tags, Settlement::Done) => {
                self.acknowledge(session, &tags).await?;
                self.take_in_again(session).await?;
            }
            Order::Settle(tags, Settlement::Return) => {
                self.give_back(session, &tags).await?;
                self.take_in_again(session).await?;
            }
            Order::Settle(tags, Settlement::PassOn) => {
                for tag in tags {
                    let Some(parcel) = session.parcel(tag) else { continue };
                    let (lacking, class) = (parcel.lacking(), parcel.class);
                    if !session.control().is_some_and(|own| lacking.iter().any(|name| name == own)) {
                        self.pass_on(session, tag).await?;
                        continue;
                    }
                    let others_wait = match class {
                        Some(class) => session.has_ready(class).await,
                        None => false,
                    };
                    self.state.set_aside(tag, if others_wait { BRIEFLY } else { SET_ASIDE });
                }
                self.take_in_again(session).await?;
            }
            Order::MayPassOn(tag, reply) => {
                let answer = self.may_pass_on(session, tag).await;
                // Fails only when nobody waits for it any more.
                let _ = reply.send(answer);
            }
            Order::Renewed(tag, outcome) => {
                self.state.renewing = self.state.renewing.saturating_sub(1);
                if outcome == Outcome::Confirmed {
                    session.settle(&[tag], Settlement::Done).await?;
                } else if self.state.stopping || self.state.paused {
                    session.settle(&[tag], Settlement::Return).await?;
                } else {
                    // It would come again at once.
                    let orders = self.own_orders.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(SET_ASIDE).await;
                        orders.send(Order::Settle(vec![tag], Settlement::Return))
                    });
                }
            }
            Order::Stop => {
                self.state.stopping = true;
                self.pause(session).await?;
            }
            Order::Pause => {
                self.state.paused = true;
                let tags = session.pause_submissions().await?;
                self.give_back(session, &tags).await?;
                self.give_back(session, &self.backlog.give_back()).await?;
            }
            Order::Resume => {
                self.state.paused = false;
                if !self.state.stopping {
                    session.resume(Consuming::All).await?;
                }
            }
            Order::Close(reply) => {
                // What waits to be passed on is the broker's again with the connection.
                self.state.closing = Some((reply, Deadline::now() + RENEWING));
            }
        }
        Ok(())
    }

    /// Whether a delivery whose package this worker lacks can go to another worker; else why not.
    async fn may_pass_on(&mut self, session: &mut Session<'_>, tag: Tag) -> Result<(), String> {
        // One of an earlier connection goes to another worker, or comes again, by itself.
        let Some(parcel) = session.parcel(tag) else { return Ok(()) };
        let (Some(class), passed_on_for) = (parcel.class, parcel.passed_on_for()) else {
            return Err(String::new());
        };
        let mut lacking = parcel.lacking();
        if let Some(own) = session.control()
            && !lacking.iter().any(|name| name == own)
        {
            lacking.push(own.to_owned());
        }
        if passed_on_for > PASSING_ON {
            let minutes = PASSING_ON.as_secs() / 60;
            return Err(format!("; no worker that has it took the submission in {minutes} minutes"));
        }
        let Some(workers) = session.workers(class).await else { return Ok(()) };
        // Some of them may be gone, and others in their place.
        let connected = workers as usize;
        if lacking.len() < connected || session.connected(&lacking).await < connected {
            return Ok(());
        }
        Err(match workers {
            1 => String::new(),
            _ => "; the other connected workers lack it as well".to_owned(),
        })
    }

    async fn pass_on(&mut self, session: &mut Session<'_>, tag: Tag) -> Result<(), LinkError> {
        let own = session.control().map(str::to_owned);
        let Some(parcel) = session.parcel(tag) else { return Ok(()) };
        let properties = parcel.passed_on(own.as_deref().unwrap_or(&self.instance));
        if self.renew(session, tag, properties) {
            return Ok(());
        }
        session.settle(&[tag], Settlement::Return).await.map(drop)
    }

    /// Stops consuming, and gives back the deliveries that were on their way.
    async fn pause(&mut self, session: &mut Session<'_>) -> Result<(), LinkError> {
        let tags = session.pause().await?;
        self.give_back(session, &tags).await
    }

    /// Gives deliveries back to their queue: to their place in it as long as the broker has not counted that too often,
    /// else as new messages.
    async fn give_back(&mut self, session: &mut Session<'_>, tags: &[Tag]) -> Result<(), LinkError> {
        let mut counted = Vec::new();
        for tag in tags {
            match session.parcel(*tag) {
                Some(parcel) if parcel.returns >= MOST_COUNTED && parcel.class.is_some() => {
                    let properties = parcel.renewed(true);
                    if !self.renew(session, *tag, properties) {
                        counted.push(*tag);
                    }
                }
                _ => counted.push(*tag),
            }
        }
        session.settle(&counted, Settlement::Return).await.map(drop)
    }

    /// Publishes a delivery anew with these properties, and acknowledges it once the broker has the new message; returns
    /// false where it cannot be tried.
    fn renew(&mut self, session: &mut Session<'_>, tag: Tag, properties: BasicProperties) -> bool {
        let Some(parcel) = session.parcel(tag) else { return false };
        let Some(key) = parcel.key() else { return false };
        // Without its body it can go back only as the message that it came in.
        parcel.class = None;
        let orders = self.own_orders.clone();
        let publication = Publication {
            exchange: SUBMIT,
            key,
            properties,
            body: std::mem::take(&mut parcel.body),
            replaces: Some((self.live.clone(), tag)),
            settled: Box::new(move |outcome| {
                // Without anyone to take the order the connection is gone, and the message comes again.
                let _ = orders.send(Order::Renewed(tag, outcome));
            }),
        };
        self.state.renewing += 1;
        // Without a publisher this process is ending, and the broker gives the message out again.
        let _ = self.renewals.send(publication);
        true
    }

    async fn take_in(
        &mut self,
        session: &mut Session<'_>,
        place: usize,
        message: Message,
    ) -> Result<(), LinkError> {
        let Some((queue, brings)) = session.brings(place) else { return Ok(()) };
        if brings == Brings::Control
            && let Some(announcement) = Announcement::read(&message.data)
        {
            self.hear(&announcement);
            let acker = message.acker.clone();
            let tag = session.owe(place, acker, Parcel::new(message, None), 1);
            return session.settle(&[tag], Settlement::Done).await.map(drop);
        }
        let parsed = parse(&message.data);
        let answer = parsed.as_ref().err().and_then(Malformed::answer);
        let acker = message.acker.clone();
        let class = class_of(queue);
        let routing_key = message.routing_key.clone();
        let parcel = Parcel::new(message, class);
        let own_refusal = refusal(&parcel, brings);
        // What was dead-lettered looks new to the broker, and somebody may have answered it before.
        let redelivered = parcel.redelivered || brings == Brings::Exhausted;
        let class = class.or_else(|| parcel::first_class(&parcel.properties)).unwrap_or_default();
        let properties = parcel.properties.clone();
        // A dead letter and a verdict, where both are owed.
        let parts = if answer.is_some() && brings == Brings::Submissions { 2 } else { 1 };
        let tag = session.owe(place, acker, parcel, parts);
        let deliver = |submission, refusal| Delivery {
            submission,
            tag,
            class,
            redelivered,
            correlation_id: properties.correlation_id().as_ref().map(ToString::to_string),
            refusal,
            arrived: Instant::now(),
        };
        if brings == Brings::Control {
            match parsed {
                Ok(message::Message::Cancel(key)) => self.cancel(&key),
                Ok(message::Message::Submission(_)) => tracing::warn!("a submission among control messages"),
                Err(error) => tracing::warn!(%error, "a control message that cannot be read"),
            }
            return session.settle(&[tag], Settlement::Done).await.map(drop);
        }
        match (parsed, brings) {
            (Ok(message::Message::Submission(mut submission)), _) => {
                warn_about_class(&mut submission, class);
                take_reply_to(&mut submission, &properties);
                self.offer(session, deliver(submission, own_refusal), brings == Brings::Exhausted).await
            }
            // It has its answer: only a verdict was owed.
            (_, Brings::Exhausted) if answer.is_none() => {
                session.settle(&[tag], Settlement::Done).await.map(drop)
            }
            (Ok(message::Message::Cancel(key)), _) => {
                let problem = "a cancel message among submissions: send it to gavel.control";
                crate::instruments::message_refused(crate::instruments::Refusal::Misplaced);
                self.tell(&Malformed::unanswered(key, problem));
                self.bury(session, tag, routing_key.as_str(), problem);
                Ok(())
            }
            (Err(malformed), _) => {
                complain(&malformed);
                if brings != Brings::Exhausted {
                    self.bury(session, tag, routing_key.as_str(), &malformed.problem);
                }
                match answer {
                    Some((mut submission, refusal)) => {
                        take_reply_to(&mut submission, &properties);
                        self.offer(session, deliver(submission, Some(refusal)), true).await
                    }
                    None => {
                        self.tell(&malformed);
                        Ok(())
                    }
                }
            }
        }
    }

    /// Tells a sender what is wrong, where no verdict can.
    fn tell(&self, malformed: &Malformed) {
        if let Ok(body) = serde_json::to_vec(&malformed.event(&self.worker)) {
            // Full: dropped like any progress.
            let _ = self.tales.try_send(Tale::Progress { kind: "error", body });
        }
    }

    /// Offers a delivery to the backlog; `is_dead` where it has its dead letter already.
    async fn offer(
        &mut self,
        session: &mut Session<'_>,
        mut delivery: Delivery,
        is_dead: bool,
    ) -> Result<(), LinkError> {
        let (key, tag) = (Key::of(&delivery.submission), delivery.tag);
        let earlier = self.confirmed.earlier(&key, || Contents::of(&delivery.submission));
        if let Some(parcel) = session.parcel(tag) {
            parcel.judging = Some(KeyDigest::of(&key));
        }
        // The same judging sent anew may have been given back as well, and waits for a verdict.
        let may_be_lost = |earlier: &Earlier| {
            earlier.acknowledged.as_ref().is_none_or(|acknowledged| self.live.may_have_lost(acknowledged))
        };
        let is_answered = |earlier: &Earlier| earlier.is_own && earlier.is_same && may_be_lost(earlier);
        if delivery.redelivered && earlier.as_ref().is_some_and(is_answered) {
            tracing::info!(id = %key.id, judging = %key.judging, "came again after its verdict: acknowledged");
            return self.acknowledge(session, &[tag]).await;
        }
        delivery.redelivered |= earlier.is_some();
        let class = delivery.class;
        match self.backlog.offer(delivery) {
            Ok(Offer::Taken) => Ok(()),
            Ok(Offer::Conflict(contents)) => {
                let reason = key.conflict(contents);
                if let Some(parcel) = session.parcel(tag) {
                    // Its acknowledgement says nothing about the judging that waits or runs.
                    parcel.judging = None;
                }
                crate::instruments::message_refused(crate::instruments::Refusal::Conflict);
                tracing::warn!(id = %key.id, judging = %key.judging, "message refused: {reason}");
                if is_dead {
                    return session.settle(&[tag], Settlement::Done).await.map(drop);
                }
                let routing_key = format!("judge.{}", class.id());
                self.bury(session, tag, &routing_key, &reason);
                Ok(())
            }
            Ok(Offer::Closed) => {
                // Given back with the consumer still there it would come again at once, until it counts as poison.
                self.state.stopping = true;
                self.pause(session).await?;
                self.give_back(session, &[tag]).await
            }
            Err(error) => {
                tracing::error!(%error, "a submission cannot be taken in");
                tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
                self.give_back(session, &[tag]).await
            }
        }
    }

    /// Acknowledges deliveries of one judging, and remembers whether all went out.
    async fn acknowledge(&mut self, session: &mut Session<'_>, tags: &[Tag]) -> Result<(), LinkError> {
        let judging = tags.iter().find_map(|tag| session.parcel(*tag)?.judging);
        let are_out = session.settle(tags, Settlement::Done).await?;
        if let Some(judging) = judging.filter(|_| are_out) {
            let sources = tags.iter().map(|tag| tag.connection).collect();
            self.confirmed.acknowledge(judging, Acknowledged { sources, at: Instant::now() });
        }
        Ok(())
    }

    fn cancel(&self, key: &Key) {
        if self.backlog.cancel_known(key) {
            return;
        }
        if let Some(contents) = self.confirmed.here(key) {
            tracing::info!(id = %key.id, judging = %key.judging, "cancelled after its verdict: forgotten");
            // Another worker may have heard the cancel and not of the verdict. Full: as when it is lost on the way.
            let decision = Decision::new(key, contents);
            let _ = self.tales.try_send(Tale::Decided { decision, is_urgent: true });
        } else if self.confirmed.is_elsewhere(key) {
            tracing::info!(id = %key.id, judging = %key.judging, "cancelled after its verdict: forgotten");
        } else {
            self.backlog.cancel(key);
        }
    }

    /// Takes in what other workers decided.
    fn hear(&self, announcement: &Announcement) {
        if announcement.instance == self.instance {
            return;
        }
        for decision in announcement.decisions() {
            self.backlog.forget_cancel(decision.key);
            self.confirmed.insert_elsewhere(decision);
        }
    }

    /// Sends a message to the dead queue with the reason, then acknowledges it.
    fn bury(&self, session: &mut Session<'_>, tag: Tag, routing_key: &str, reason: &str) {
        let Some(parcel) = session.parcel(tag) else { return };
        let properties = parcel::dead_letter(&parcel.properties, routing_key, reason);
        // A refused message that is owed a verdict too may have to go back before that is out.
        let body = parcel.body.clone();
        let orders = self.own_orders.clone();
        let publication = Publication {
            exchange: DEAD,
            key: "dead.malformed".to_owned(),
            properties,
            body,
            replaces: None,
            settled: Box::new(move |outcome| {
                if outcome == Outcome::TooLarge {
                    tracing::error!("a refused message is too large for the dead queue: it is dropped");
                }
                // Without anyone to take the order the connection is gone, and the message comes again.
                let _ = orders.send(Order::Settle(vec![tag], Settlement::Done));
            }),
        };
        // The same: without a publisher this process is ending.
        let _ = self.burials.send(publication);
    }
}

/// Takes the queue for a copy of the verdict from the message's properties, unless the submission names one.
fn take_reply_to(submission: &mut Submission, properties: &BasicProperties) {
    let Some(queue) =
        properties.reply_to().as_ref().map(ToString::to_string).filter(|queue| !queue.is_empty())
    else {
        return;
    };
    match &submission.reply_to {
        None => submission.reply_to = Some(queue),
        Some(own) if *own == queue => {}
        Some(_) => submission.warnings.push(format!(
            "the AMQP property reply_to '{}' has no effect: the submission has a reply_to of its own",
            queue.escape_debug()
        )),
    }
}

fn complain(malformed: &Malformed) {
    crate::instruments::message_refused(crate::instruments::Refusal::Malformed);
    let id: String = malformed.id.chars().take(40).collect();
    tracing::warn!(id, "message refused: {malformed}");
}

/// Why a submission is only answered, where it is.
fn refusal(parcel: &Parcel, brings: Brings) -> Option<Refusal> {
    let refuse = |message| Refusal { reason: Reason::Sandbox, message };
    if brings == Brings::Exhausted {
        let headers = parcel.properties.headers().as_ref().map(FieldTable::inner);
        let reason = match headers.and_then(|headers| headers.get("x-first-death-reason")) {
            Some(AMQPValue::LongString(reason)) => reason.to_string(),
            _ => "unknown".to_owned(),
        };
        return Some(refuse(format!(
            "given up by the broker ({reason}): see the policies of the judge queues, and gavel.dead"
        )));
    }
    let returns = parcel.returns;
    (returns >= MOST_RETURNS).then(|| {
        refuse(format!(
            "given up after {returns} attempts without a verdict: it may end the workers that judge it"
        ))
    })
}

/// Says that the submission's own word on its class has no effect.
fn warn_about_class(submission: &mut Submission, class: Priority) {
    if let Some(stated) = submission.priority
        && stated != class
    {
        submission.warnings.push(format!(
            "'priority' has no effect: it is '{}', and the queue's class is '{}'",
            stated.id(),
            class.id()
        ));
        tracing::warn!(
            id = %submission.id,
            "'priority' is '{}' in a submission from the queue of class '{}': the queue decides; publish with the \
             routing key 'judge.{}' for the other class",
            stated.id(), class.id(), stated.id()
        );
    }
}

/// Waits until then; for ever without a time.
async fn until(time: Option<Deadline>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Follows orders while there is no connection; returns when told to close.
async fn closed(
    orders: &mut mpsc::UnboundedReceiver<Order>,
    state: &mut IntakeState,
) -> Option<oneshot::Sender<()>> {
    if let Some((reply, _)) = state.closing.take() {
        return Some(reply);
    }
    loop {
        match orders.recv().await? {
            // The broker gives these deliveries out again by itself.
            Order::Settle(..) => {}
            Order::MayPassOn(_, reply) => drop(reply.send(Ok(()))),
            Order::Renewed(..) => state.renewing = state.renewing.saturating_sub(1),
            Order::Stop => state.stopping = true,
            Order::Pause => state.paused = true,
            Order::Resume => state.paused = false,
            Order::Close(reply) => return Some(reply),
        }
    }
}
