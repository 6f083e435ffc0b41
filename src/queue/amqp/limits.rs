//! Lengths that AMQP bounds, checked where text of others enters.
//!
//! Short strings (routing keys, names of queues, message and correlation ids, header names) have at most 255 bytes, and
//! the client library panics on longer ones. All properties and headers of a message come in one frame, and the broker
//! ends a connection that sends a larger one.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};

use crate::cache::Digest;
use crate::queue::message::Key;

/// Bytes of the longest short string.
const LONGEST_SHORT: usize = 255;
/// Bytes of a header's text that tells people something.
const LONGEST_TEXT: usize = 1500;
/// Bytes that a header frame needs besides the headers: its own fields, and every property at its longest.
const OTHER_PROPERTIES: usize = 2500;
/// Names the headers that were left out.
const DROPPED: &str = "x-gavel-headers-dropped";
/// Starts the names of gavel's own headers.
const OWN: &str = "x-gavel-";

/// Returns the text as a short string, `None` where it is too long for one.
pub(super) fn short(text: &str) -> Option<ShortString> {
    ShortString::try_new(text).ok()
}

/// Returns the value of a header for people, cut to a bounded length.
pub(super) fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text[..text.floor_char_boundary(LONGEST_TEXT)].into())
}

/// The message id of a judging's verdict; a digest where the id is too long. No two judgings have one.
pub(super) fn message_id(key: &Key) -> ShortString {
    let name = key.message_id();
    short(&name).unwrap_or_else(|| Digest::of(name).to_string().into())
}

/// Leaves out headers until the rest fits into a frame of so many bytes; 0 stands for no limit. gavel's own stay.
pub(super) fn fit(properties: BasicProperties, frame: u32) -> BasicProperties {
    let Some(headers) = properties.headers() else { return properties };
    let budget = usize::try_from(frame).unwrap_or(usize::MAX).saturating_sub(OTHER_PROPERTIES);
    if frame == 0 || size_of_table(headers) <= budget {
        return properties;
    }
    let (own, others): (Vec<_>, Vec<_>) =
        headers.inner().iter().partition(|(name, _)| name.as_str().starts_with(OWN));
    // Room for the names of what is left out.
    let mut left = budget.saturating_sub(LONGEST_TEXT + LONGEST_SHORT);
    let (mut kept, mut dropped) = (FieldTable::default(), Vec::new());
    for (name, value) in own.into_iter().chain(others) {
        let size = size_of_entry(name, value);
        if size <= left {
            left -= size;
            kept.insert(name.clone(), value.clone());
        } else {
            dropped.push(name.as_str());
        }
    }
    kept.insert(DROPPED.into(), text(&dropped.join(", ")));
    properties.with_headers(kept)
}

/// Bytes of a table on the wire.
fn size_of_table(table: &FieldTable) -> usize {
    4 + table.inner().iter().map(|(name, value)| size_of_entry(name, value)).sum::<usize>()
}

fn size_of_entry(name: &ShortString, value: &AMQPValue) -> usize {
    1 + name.as_str().len() + size_of_value(value)
}

/// Bytes of a value with its type; no less than on the wire.
fn size_of_value(value: &AMQPValue) -> usize {
    1 + match value {
        AMQPValue::LongString(text) => 4 + LongString::as_bytes(text).len(),
        AMQPValue::ShortString(text) => 1 + text.as_str().len(),
        AMQPValue::ByteArray(bytes) => 4 + bytes.as_slice().len(),
        AMQPValue::FieldArray(values) => 4 + values.as_slice().iter().map(size_of_value).sum::<usize>(),
        AMQPValue::FieldTable(table) => size_of_table(table),
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_amqp_bounds_is_bounded_before_the_client_sees_it() {
        assert!(short(&"x".repeat(255)).is_some() && short(&"x".repeat(256)).is_none());
        assert!(short(&"ä".repeat(128)).is_none(), "bytes count, not characters");
        let AMQPValue::LongString(long) = text(&"ä".repeat(100_000)) else { panic!("another type") };
        assert_eq!(long.as_bytes().len(), LONGEST_TEXT);
    }

    #[test]
    fn no_two_judgings_have_one_message_id() {
        let id = |id: &str, judging: &str| {
            message_id(&Key { id: id.to_owned(), judging: judging.to_owned() }).to_string()
        };
        assert_eq!(id("s-1", "2"), "s-1/2");
        assert_eq!(id("s-1", "2/3"), "s-1/2/3");
        assert_ne!(id("a/1", "x"), id("a", "1/x"));
        assert_ne!(id("a%2F1", "x"), id("a/1", "x"));
        let long = "x".repeat(200);
        assert_ne!(id(&long, &format!("{long}a")), id(&long, &format!("{long}b")));
        assert!(id(&"/".repeat(200), "1").len() <= 255);
    }

    #[test]
    fn headers_that_do_not_fit_into_a_frame_are_left_out_by_name() {
        let mut headers = FieldTable::default();
        headers.insert("a-small".into(), AMQPValue::Boolean(true));
        headers.insert("large".into(), AMQPValue::LongString("x".repeat(100_000).into()));
        headers.insert("x-gavel-reason".into(), text("broken"));
        let whole = BasicProperties::default().with_headers(headers);
        assert_eq!(fit(whole.clone(), 0), whole);
        assert_eq!(fit(whole.clone(), 128 << 10), whole);
        for frame in [4096, 16 << 10] {
            let fitting = fit(whole.clone(), frame);
            let headers = fitting.headers().as_ref().unwrap();
            let names: Vec<_> = headers.inner().keys().map(ShortString::as_str).collect();
            // The least frame has room for gavel's own alone.
            assert!(names.contains(&"x-gavel-headers-dropped") && !names.contains(&"large"), "{names:?}");
            assert!(frame == 4096 || names.contains(&"a-small"), "{names:?}");
            assert!(size_of_table(headers) < frame as usize);
        }
    }
}
