//! What an operator may choose about the queue.

use globset::{Glob, GlobSet};
use lapin::types::ShortString;

use super::{limits, topology};
use crate::queue::health::Health;

/// Choices of the operator, and where this queue says how it is.
#[derive(Debug, Clone, Default)]
pub struct AmqpOptions {
    /// Submissions of one class that are held at once, running ones included. Unset: one more than there are
    /// slots, so that a slot never waits for the network and no other worker waits for what could not start.
    pub prefetch: Option<u16>,
    /// Queues that `reply_to` of a submission may name; none unless listed, because whoever may submit could
    /// otherwise aim this worker's messages at any queue. The queues of gavel itself are refused always.
    pub reply_to: Vec<Glob>,
    /// Told about lost connections, verdicts that are not confirmed, and a host that cannot judge.
    pub health: Health,
}

/// Which queues may get copies of verdicts.
#[derive(Debug)]
pub(super) struct ReplyQueues(GlobSet);

impl ReplyQueues {
    pub(super) fn new(globs: &[Glob]) -> Result<Self, globset::Error> {
        let mut builder = GlobSet::builder();
        for glob in globs {
            builder.add(glob.clone());
        }
        builder.build().map(Self)
    }

    /// Returns the queue's name where copies may go there, else why not.
    pub(super) fn check(&self, queue: &str) -> Result<ShortString, String> {
        let Some(name) = limits::short(queue) else {
            return Err(format!("reply_to has {} bytes; names of queues have at most 255", queue.len()));
        };
        if self.0.is_match(queue) && !topology::is_own_queue(queue) {
            Ok(name)
        } else {
            Err(format!("reply_to '{queue}' is not among the queues this worker may reply to"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_queues_get_replies_and_never_our_own() {
        let globs = [Glob::new("reply.*").unwrap(), Glob::new("gavel.*").unwrap()];
        let queues = ReplyQueues::new(&globs).unwrap();
        for (queue, expected) in [
            ("reply.web-1", true),
            ("gavel.mine", true),
            ("web.reply.1", false),
            ("gavel.judge.contest", false),
            ("gavel.dead", false),
            ("", false),
        ] {
            assert_eq!(queues.check(queue).is_ok(), expected, "{queue}");
        }
        assert!(ReplyQueues::new(&[]).unwrap().check("reply.web-1").is_err());
        let long = queues.check(&format!("reply.{}", "x".repeat(1 << 20))).unwrap_err();
        assert!(long.starts_with("reply_to has 1048582 bytes") && long.len() < 100, "{long}");
    }
}
