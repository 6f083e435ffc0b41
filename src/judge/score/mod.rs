//! Computes verdicts and scores of groups from the results of their tests, and which tests still matter.
//!
//! Results are folded group by group in one fixed order, that of a walk through the tree of groups which visits what a
//! group depends on before the group itself. So verdicts, scores and skipped tests are those of judging one test after
//! the other, whatever ran at once and whatever was faster.
//!
//! What always holds:
//! - A group's verdict and score are the same under every stop policy: a policy only chooses what runs besides.
//! - A test is skipped only when every group that holds it is decided, or never reached.
//! - A judging error among what a group folds is the group's verdict, however it joins verdicts; and so is a score of an
//!   accepted group that cannot be: outside the group's range, or no number.
//!
//! | file | what it knows |
//! |---|---|
//! | `tree` | which groups hold which of the tests asked for, and the order they are judged in |
//! | `group_state` | what is folded so far, and what still matters |
//! | `aggregate` | one value of many |
//! | `grader` | the package's own program for that |
//!
//! Nothing here runs tests or knows of slots; `schedule::pipeline` does.

pub(crate) mod aggregate;
pub(crate) mod grader;
pub(crate) mod group_state;
mod tree;

#[cfg(test)]
mod properties;
