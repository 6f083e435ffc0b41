//! What an operator may choose about the queue.

use globset::{Glob, GlobSet};

use super::topology;
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

    pub(super) fn allows(&self, queue: &str) -> bool {
        self.0.is_match(queue) && !topology::is_own_queue(queue)
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
            assert_eq!(queues.allows(queue), expected, "{queue}");
        }
        assert!(!ReplyQueues::new(&[]).unwrap().allows("reply.web-1"));
    }
}
