//! Digests of keys and of what is judged under them: two submissions of one key are the same one only when what they
//! ask for is the same.

use std::fmt;
use std::io;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::message::Key;
use crate::submission::{Feedback, LimitOverrides, Policy, ProblemRef, SourceFile, Submission};

/// The SHA-256 of everything in a submission that decides its report: not its class, `reply_to` and `meta`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Contents([u8; 32]);

/// The first half of the SHA-256 of an id and a judging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct KeyDigest(u128);

#[derive(Serialize)]
struct Judged<'a> {
    language: &'a str,
    files: &'a [SourceFile],
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_point: Option<&'a str>,
    problem: &'a ProblemRef,
    limits: &'a LimitOverrides,
    policy: &'a Policy,
    tests: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback: Option<Feedback>,
}

struct Hasher(Sha256);

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Contents {
    /// The contents of a submission.
    pub fn of(submission: &Submission) -> Self {
        let Submission { language, files, entry_point, problem, limits, policy, tests, feedback, .. } =
            submission;
        let entry_point = entry_point.as_deref();
        let judged =
            Judged { language, files, entry_point, problem, limits, policy, tests, feedback: *feedback };
        let mut hasher = Hasher(Sha256::new());
        if let Err(error) = serde_json::to_writer(&mut hasher, &judged) {
            // Such as a path that is no text: told apart from all that can be written.
            hasher.0.update(error.to_string());
            hasher.0.update(format!("{problem:?}"));
        }
        Self(hasher.0.finalize().into())
    }

    /// The first eight bytes, which tell contents apart well enough for a warning.
    pub(super) fn short(&self) -> u64 {
        u64::from_be_bytes(std::array::from_fn(|place| self.0[place]))
    }
}

impl KeyDigest {
    pub(super) fn of(key: &Key) -> Self {
        let mut hash = Sha256::new();
        hash.update((key.id.len() as u64).to_be_bytes());
        hash.update(&key.id);
        hash.update(&key.judging);
        let digest: [u8; 32] = hash.finalize().into();
        Self(u128::from_be_bytes(std::array::from_fn(|place| digest[place])))
    }

    pub(super) fn bits(self) -> u128 {
        self.0
    }

    pub(super) fn from_bits(bits: u128) -> Self {
        Self(bits)
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(change: impl FnOnce(&mut Submission)) -> Contents {
        let text = r#"{"schema":1,"id":"a","language":"c","files":[{"name":"a.c","text":"x"}],"problem":{"ref":"x"}}"#;
        let mut submission = serde_json::from_str(text).unwrap();
        change(&mut submission);
        Contents::of(&submission)
    }

    #[test]
    fn only_what_decides_the_verdict_makes_other_contents() {
        let plain = contents(|_| {});
        assert_eq!(plain, contents(|submission| submission.reply_to = Some("reply.web".to_owned())));
        assert_eq!(
            plain,
            contents(|submission| submission.priority = Some(crate::submission::Priority::Contest))
        );
        assert_ne!(plain, contents(|submission| submission.files[0].name = "b.c".to_owned()));
        assert_ne!(plain, contents(|submission| submission.tests = vec!["1".to_owned()]));
        assert_ne!(plain, contents(|submission| submission.language = "cpp20".to_owned()));
        assert_ne!(plain, contents(|submission| submission.problem.sha256 = Some("00".to_owned())));
    }

    #[test]
    fn keys_with_a_slash_are_told_apart() {
        let digest =
            |id: &str, judging: &str| KeyDigest::of(&Key { id: id.to_owned(), judging: judging.to_owned() });
        assert_ne!(digest("a/1", "x"), digest("a", "1/x"));
        assert_eq!(KeyDigest::from_bits(digest("a", "1").bits()), digest("a", "1"));
    }
}
