//! Judgings that have their verdict, here or on another worker.
//!
//! Between a confirmation and the acknowledgement that follows it a connection can be lost; the broker then
//! gives the submission out again. Judging it again would only say the same twice. What other workers decided is heard
//! from them ([`Announcement`]): a verdict on the same judging is then flagged as a repeat, and a cancel of it forgotten.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::queue::contents::{Contents, KeyDigest};
use crate::queue::message::Key;
use crate::submission::SCHEMA;

/// More than can be unacknowledged on any worker, many times over.
const REMEMBERED: usize = 10_000;

/// The latest judgings with a confirmed verdict.
#[derive(Debug, Default)]
pub(super) struct Confirmed(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    here: Latest<Own>,
    /// By other workers; of the contents only [`Contents::short`].
    elsewhere: Latest<u64>,
}

/// A verdict of this worker.
#[derive(Debug)]
struct Own {
    contents: Contents,
    /// How all deliveries of the judging were acknowledged, once they were.
    acknowledged: Option<Acknowledged>,
}

/// An acknowledgement of all deliveries of a judging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Acknowledged {
    /// The sources that they came over.
    pub(super) sources: Vec<u64>,
    /// When the last was sent.
    pub(super) at: Instant,
}

/// The latest keys, with what is known of each.
#[derive(Debug)]
struct Latest<T> {
    keys: HashMap<KeyDigest, T>,
    order: VecDeque<KeyDigest>,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self { keys: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T> Latest<T> {
    fn insert(&mut self, key: KeyDigest, value: T) {
        if self.keys.insert(key, value).is_some() {
            self.order.retain(|other| *other != key);
        }
        self.order.push_back(key);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
    }
}

/// What is known of an earlier verdict on the same judging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Earlier {
    /// Whether this worker gave it.
    pub(super) is_own: bool,
    /// Whether it was on the same contents.
    pub(super) is_same: bool,
    /// How this worker acknowledged the judging, where it did.
    pub(super) acknowledged: Option<Acknowledged>,
}

impl Confirmed {
    pub(super) fn insert(&self, key: &Key, contents: Contents) {
        self.lock().here.insert(KeyDigest::of(key), Own { contents, acknowledged: None });
    }

    /// Notes that all deliveries of a judging were acknowledged after its verdict.
    pub(super) fn acknowledge(&self, key: KeyDigest, acknowledged: Acknowledged) {
        if let Some(own) = self.lock().here.keys.get_mut(&key) {
            own.acknowledged = Some(acknowledged);
        }
    }

    /// Takes in what another worker decided.
    pub(super) fn insert_elsewhere(&self, decision: Decision) {
        self.lock().elsewhere.insert(decision.key, decision.contents);
    }

    /// The contents that this worker gave a verdict on.
    pub(super) fn here(&self, key: &Key) -> Option<Contents> {
        self.lock().here.keys.get(&KeyDigest::of(key)).map(|own| own.contents)
    }

    /// Whether another worker gave a verdict on a judging.
    pub(super) fn is_elsewhere(&self, key: &Key) -> bool {
        self.lock().elsewhere.keys.contains_key(&KeyDigest::of(key))
    }

    /// The earlier verdict on a judging, where any is known.
    pub(super) fn earlier(&self, key: &Key, contents: impl FnOnce() -> Contents) -> Option<Earlier> {
        let key = KeyDigest::of(key);
        let state = self.lock();
        let here = state.here.keys.get(&key).map(|own| (own.contents, own.acknowledged.clone()));
        let elsewhere = state.elsewhere.keys.get(&key).copied();
        drop(state);
        match (here, elsewhere) {
            (Some((here, acknowledged)), _) => {
                Some(Earlier { is_own: true, is_same: here == contents(), acknowledged })
            }
            (None, Some(short)) => {
                Some(Earlier { is_own: false, is_same: short == contents().short(), acknowledged: None })
            }
            (None, None) => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A judging that was decided, as workers tell each other: the digest of its key and the start of that of its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) key: KeyDigest,
    contents: u64,
}

impl Decision {
    pub(super) fn new(key: &Key, contents: Contents) -> Self {
        Self { key: KeyDigest::of(key), contents: contents.short() }
    }
}

/// What a worker tells the others over `gavel.control`: judgings that it decided.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Announcement {
    schema: u32,
    #[serde(rename = "type")]
    kind: String,
    /// The process that decided, which ignores its own word.
    pub(super) instance: String,
    /// 32 hexadecimal digits of the key and 16 of the contents, each.
    decided: Vec<String>,
}

/// The `type` of an [`Announcement`].
const DECIDED: &str = "decided";

impl Announcement {
    pub(super) fn new(instance: &str, decisions: &[Decision]) -> Self {
        let text = |decision: &Decision| format!("{:032x}{:016x}", decision.key.bits(), decision.contents);
        Self {
            schema: SCHEMA,
            kind: DECIDED.to_owned(),
            instance: instance.to_owned(),
            decided: decisions.iter().map(text).collect(),
        }
    }

    /// The announcement in a message, where it is one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let announcement: Self = serde_json::from_slice(bytes).ok()?;
        (announcement.schema == SCHEMA && announcement.kind == DECIDED).then_some(announcement)
    }

    pub(super) fn decisions(&self) -> impl Iterator<Item = Decision> {
        self.decided.iter().filter_map(|text| {
            let (key, contents) = text.split_at_checked(32)?;
            let key = KeyDigest::from_bits(u128::from_str_radix(key, 16).ok()?);
            Some(Decision { key, contents: u64::from_str_radix(contents, 16).ok()? })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(language: &str) -> Contents {
        let text =
            format!(r#"{{"schema":1,"id":"s","language":"{language}","files":[],"problem":{{"ref":"x"}}}}"#);
        Contents::of(&serde_json::from_str(&text).unwrap())
    }

    fn key(id: impl ToString) -> Key {
        Key { id: id.to_string(), judging: "1".to_owned() }
    }

    #[test]
    fn the_latest_are_remembered_and_no_more() {
        let (confirmed, contents) = (Confirmed::default(), contents("c"));
        for number in 0..=REMEMBERED {
            confirmed.insert(&key(number), contents);
            confirmed.insert(&key(number), contents);
        }
        assert_eq!(confirmed.here(&key(0)), None);
        assert!(confirmed.here(&key(1)).is_some() && confirmed.here(&key(REMEMBERED)).is_some());
    }

    #[test]
    fn a_judging_that_is_confirmed_again_is_among_the_latest() {
        let (confirmed, contents) = (Confirmed::default(), contents("c"));
        for number in 0..REMEMBERED {
            confirmed.insert(&key(number), contents);
        }
        confirmed.insert(&key(0), contents);
        confirmed.insert(&key("one more"), contents);
        assert!(confirmed.here(&key(0)).is_some());
        assert_eq!(confirmed.here(&key(1)), None);
    }

    #[test]
    fn an_acknowledgement_is_known_until_the_judging_has_another_verdict() {
        let (confirmed, contents) = (Confirmed::default(), contents("c"));
        let acknowledged = || confirmed.earlier(&key("s"), || contents).and_then(|own| own.acknowledged);
        confirmed.insert(&key("s"), contents);
        assert_eq!(acknowledged(), None);
        let sent = Acknowledged { sources: vec![1], at: Instant::now() };
        confirmed.acknowledge(KeyDigest::of(&key("s")), sent.clone());
        assert_eq!(acknowledged(), Some(sent));
        confirmed.insert(&key("s"), contents);
        assert_eq!(acknowledged(), None);
    }

    #[test]
    fn what_other_workers_decided_is_known_with_its_contents() {
        let (one, other) = (Confirmed::default(), contents("c"));
        one.insert(&key("own"), other);
        let decisions = [Decision::new(&key("theirs"), other)];
        let bytes = serde_json::to_vec(&Announcement::new("w", &decisions)).unwrap();
        for decision in Announcement::read(&bytes).unwrap().decisions() {
            one.insert_elsewhere(decision);
        }
        let earlier = |id: &str, language: &str| one.earlier(&key(id), || contents(language));
        let known = |is_own, is_same| Some(Earlier { is_own, is_same, acknowledged: None });
        assert_eq!(earlier("own", "c"), known(true, true));
        assert_eq!(earlier("theirs", "c"), known(false, true));
        assert_eq!(earlier("theirs", "cpp20"), known(false, false));
        assert_eq!(earlier("unknown", "c"), None);
        assert!(Announcement::read(br#"{"schema":1,"type":"cancel","id":"s"}"#).is_none());
    }
}
