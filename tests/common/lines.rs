//! The two streams of a worker that reads submissions from one and writes events to the other.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout};

use serde_json::Value;

pub(crate) struct Lines {
    input: Option<ChildStdin>,
    output: Option<BufReader<ChildStdout>>,
}

impl Lines {
    pub(crate) fn of(child: &mut Child) -> Self {
        Self { input: child.stdin.take(), output: child.stdout.take().map(BufReader::new) }
    }

    pub(crate) fn send(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// The next event of this type.
    pub(crate) fn next(&mut self, kind: &str) -> Value {
        self.until(|event| event["type"] == kind)
    }

    /// The next event that is wanted.
    pub(crate) fn until(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let mut line = String::new();
            assert_ne!(
                self.output.as_mut().unwrap().read_line(&mut line).unwrap(),
                0,
                "the worker ended before the event"
            );
            let event: Value = serde_json::from_str(&line).unwrap();
            if is_wanted(&event) {
                return event;
            }
        }
    }

    pub(crate) fn end_input(&mut self) {
        drop(self.input.take());
    }

    /// Nobody reads what else the worker writes.
    pub(crate) fn stop_reading(&mut self) {
        drop(self.output.take());
    }

    /// Everything up to the end of the output.
    pub(crate) fn rest(&mut self) -> Vec<Value> {
        let mut text = String::new();
        self.output.as_mut().unwrap().read_to_string(&mut text).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
