//! Reports that are larger than the broker takes, made smaller: a verdict must come, its details need not.

use crate::report::Report;

/// Bytes of a text that stay when texts are cut.
const SHORT: usize = 200;

/// What a report is published without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Nothing.
    Whole,
    /// Most of its texts: messages and standard error of tests, the compiler's log.
    Texts,
    /// Tests, texts and what the submitter asked to have echoed.
    Details,
}

impl Cut {
    /// The largest first.
    pub(super) const ALL: [Self; 3] = [Self::Whole, Self::Texts, Self::Details];

    /// What consumers are told that it lacks.
    pub(super) fn without(self) -> Option<&'static str> {
        match self {
            Self::Whole => None,
            Self::Texts => Some("texts"),
            Self::Details => Some("texts, tests, meta"),
        }
    }

    /// The report so cut, as it is published.
    pub(super) fn body(self, report: &Report) -> serde_json::Result<Vec<u8>> {
        if self == Self::Whole {
            return serde_json::to_vec(report);
        }
        let mut report = report.clone();
        if self == Self::Details {
            report.tests.clear();
            report.meta.clear();
        }
        for test in &mut report.tests {
            test.stderr = None;
            test.judge_message = None;
        }
        let texts = report.tests.iter_mut().map(|test| &mut test.message);
        for text in texts.chain([&mut report.compile.log]).chain(&mut report.error) {
            text.truncate(text.floor_char_boundary(SHORT));
        }
        serde_json::to_vec(&report)
    }
}
