//! Says what is wrong with a value of a submission, by JSON pointer, and which forms are accepted.
//!
//! Only looked at when a message could not be read: what reads messages names its own types, which senders do not know.

use serde::Deserialize as _;
use serde_json::Value;

use crate::submission::{Feedback, Priority, Stop};
use crate::units::{Bytes, Time};

/// What a key takes.
struct Form {
    /// Its place; `*` stands for any index.
    pointer: &'static str,
    is_required: bool,
    accepted: &'static str,
    is_one: fn(&Value) -> bool,
}

const fn form(pointer: &'static str, accepted: &'static str, is_one: fn(&Value) -> bool) -> Form {
    Form { pointer, is_required: false, accepted, is_one }
}

const fn required(pointer: &'static str, accepted: &'static str, is_one: fn(&Value) -> bool) -> Form {
    Form { is_required: true, ..form(pointer, accepted, is_one) }
}

const TIME: &str = "a time with its unit, like \"1.5s\" or \"200ms\"";
const SIZE: &str = "a size with its unit, like \"256MiB\"";

const FORMS: &[Form] = &[
    required("/language", "a language's id, like \"cpp20\"", Value::is_string),
    required("/files", "a list of files, like [{\"name\": \"main.py\", \"text\": \"...\"}]", Value::is_array),
    required("/files/*", "an object with \"name\" and \"text\", \"base64\" or \"url\"", Value::is_object),
    required("/files/*/name", "a file's name, like \"main.py\"", Value::is_string),
    form("/files/*/text", "text", is_text),
    form("/files/*/base64", "text", is_text),
    form("/files/*/url", "text", is_text),
    form("/files/*/sha256", "text of 64 hexadecimal digits", is_text),
    form("/entry_point", "the name of one of the files", is_text),
    required("/problem", "an object with \"ref\", \"inline\" or \"url\"", Value::is_object),
    form("/problem/ref", "a package's name", is_text),
    form("/problem/inline", "a list of tests, like [{\"input\": \"1\", \"answer\": \"2\"}]", is_list),
    required("/problem/inline/*", "an object with \"input\" and \"answer\"", Value::is_object),
    required("/problem/inline/*/input", "text", Value::is_string),
    required("/problem/inline/*/answer", "text", Value::is_string),
    form("/problem/checker", "text, like \"tokens\" or \"exact\"", is_text),
    form("/problem/url", "text", is_text),
    form("/problem/sha256", "text of 64 hexadecimal digits", is_text),
    form(
        "/limits",
        "an object with \"cpu\", \"wall\", \"memory\", \"output\" or \"processes\"",
        Value::is_object,
    ),
    form("/limits/cpu", TIME, is::<Time>),
    form("/limits/wall", TIME, is::<Time>),
    form("/limits/memory", SIZE, is::<Bytes>),
    form("/limits/output", SIZE, is::<Bytes>),
    form("/limits/processes", "a whole number", is::<u32>),
    form("/policy", "an object like {\"stop\": \"full\"}", Value::is_object),
    form("/policy/stop", "\"first-failure\", \"group\" or \"full\"", is_known::<Stop>),
    form("/tests", "a list of patterns, like [\"sample/*\"]", Value::is_array),
    form("/tests/*", "text", Value::is_string),
    form("/feedback", "\"none\", \"case\" or \"full\"", is::<Feedback>),
    form("/reply_to", "the name of a queue", is_text),
    form("/priority", "\"contest\", \"normal\" or \"rejudge\"", is::<Priority>),
    form("/meta", "an object", Value::is_object),
];

/// The first value that no form accepts; `None` where all are accepted, or it is not an object.
pub(super) fn explain(message: &[u8]) -> Option<String> {
    let message: Value = serde_json::from_slice(message).ok()?;
    message.as_object()?;
    FORMS.iter().find_map(|form| {
        let steps: Vec<&str> = form.pointer.split('/').skip(1).collect();
        examine(form, &message, &steps, &mut String::new())
    })
}

fn examine(form: &Form, value: &Value, steps: &[&str], place: &mut String) -> Option<String> {
    let Some((step, rest)) = steps.split_first() else {
        let shown: String = value.to_string().chars().take(60).collect();
        return (!(form.is_one)(value))
            .then(|| format!("{place}: {shown} is not accepted; give {}", form.accepted));
    };
    let length = place.len();
    let found = if *step == "*" {
        value.as_array()?.iter().enumerate().find_map(|(index, value)| {
            place.truncate(length);
            place.push_str(&format!("/{index}"));
            examine(form, value, rest, place)
        })
    } else {
        let object = value.as_object()?;
        place.push_str(&format!("/{step}"));
        match object.get(*step) {
            Some(value) => examine(form, value, rest, place),
            None if form.is_required && rest.is_empty() => {
                Some(format!("{place} is missing; give {}", form.accepted))
            }
            None => None,
        }
    };
    place.truncate(length);
    found
}

fn is_text(value: &Value) -> bool {
    value.is_string() || value.is_null()
}

fn is_list(value: &Value) -> bool {
    value.is_array() || value.is_null()
}

/// Null stands for a key that is not there.
fn is<T: serde::de::DeserializeOwned>(value: &Value) -> bool {
    Option::<T>::deserialize(value.clone()).is_ok()
}

fn is_known<T: serde::de::DeserializeOwned>(value: &Value) -> bool {
    T::deserialize(value.clone()).is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::queue::message::parse;

    fn whole() -> Value {
        json!({"schema": 1, "id": "s", "language": "c17", "files": [{"name": "a.c", "text": "x"}],
               "problem": {"inline": [{"input": "1", "answer": "2"}]}, "limits": {"cpu": "1s"},
               "policy": {"stop": "full"}, "meta": {}, "tests": []})
    }

    #[test]
    fn a_wrong_value_is_named_with_its_pointer_and_what_is_accepted() {
        assert_eq!(explain(whole().to_string().as_bytes()), None);
        for (parent, key, value, words) in [
            (
                "",
                "policy",
                json!("full"),
                "/policy: \"full\" is not accepted; give an object like {\"stop\": \"full\"}",
            ),
            (
                "/policy",
                "stop",
                json!("never"),
                "/policy/stop: \"never\" is not accepted; give \"first-failure\"",
            ),
            ("/limits", "cpu", json!(1), "/limits/cpu: 1 is not accepted; give a time with its unit"),
            ("/limits", "memory", json!("much"), "/limits/memory: \"much\" is not accepted; give a size"),
            ("/limits", "processes", json!(-1), "/limits/processes: -1 is not accepted; give a whole number"),
            ("", "files", json!("x"), "/files: \"x\" is not accepted; give a list of files"),
            ("/files/0", "name", json!(7), "/files/0/name: 7 is not accepted"),
            (
                "/problem/inline/0",
                "answer",
                json!(2),
                "/problem/inline/0/answer: 2 is not accepted; give text",
            ),
            ("", "priority", json!("soon"), "/priority: \"soon\" is not accepted; give \"contest\""),
            ("", "feedback", json!("some"), "/feedback: \"some\" is not accepted; give \"none\""),
            ("", "language", json!(17), "/language: 17 is not accepted"),
            ("", "meta", json!([]), "/meta: [] is not accepted; give an object"),
        ] {
            let mut message = whole();
            message.pointer_mut(parent).unwrap()[key] = value;
            let error = parse(message.to_string().as_bytes()).unwrap_err().problem;
            assert!(error.contains(words), "{error}");
            assert!(!error.contains("struct") && !error.contains("expected"), "{error}");
        }
    }

    #[test]
    fn a_key_that_is_missing_is_named_with_what_belongs_there() {
        for (parent, key, words) in [
            ("", "language", "/language is missing; give a language's id"),
            ("", "problem", "/problem is missing"),
            ("/files/0", "name", "/files/0/name is missing"),
            ("/problem/inline/0", "input", "/problem/inline/0/input is missing; give text"),
        ] {
            let mut message = whole();
            message.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
            let error = parse(message.to_string().as_bytes()).unwrap_err().problem;
            assert!(error.contains(words), "{error}");
        }
    }
}
