//! Says what is wrong with a value of a submission, by JSON pointer, and which forms are accepted.
//!
//! Only looked at when a message could not be read: what reads messages names its own types, which senders do not know.

use serde::Deserialize as _;
use serde_json::error::Category;
use serde_json::{Error, Value};

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

/// The keys of a message that cancels, beside those that every message has.
const FORMS_OF_CANCEL: &[Form] = &[form("/judging", JUDGING, Value::is_string)];

/// What a message is.
pub(super) const OBJECT: &str = "a message is an object, like {\"schema\": 1, ...}";

const JUDGING: &str = "text of 1 to 200 bytes, or leave the key out";

const FORMS: &[Form] = &[
    form("/judging", JUDGING, Value::is_string),
    required("/language", "a language's id, like \"cpp20\"", Value::is_string),
    required("/files", "a list of files, like [{\"name\": \"main.py\", \"text\": \"...\"}]", Value::is_array),
    required("/files/*", "an object with \"name\" and \"text\", \"base64\" or \"url\"", Value::is_object),
    required("/files/*/name", "a file's name, like \"main.py\"", Value::is_string),
    form("/files/*/text", "text", is_text),
    form("/files/*/base64", "text", is_text),
    form("/files/*/url", "text", is_text),
    form("/files/*/sha256", "text of 64 hexadecimal digits", is_text),
    form(
        "/files/*",
        "exactly one of \"text\", \"base64\" and \"url\", and \"sha256\" with \"url\"",
        |file| is_one_of(file, &["text", "base64", "url"]) && has_digest(file),
    ),
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
        "/problem",
        "exactly one of \"ref\", a package's name, \"inline\", a list of tests, and \"url\" with \"sha256\", an archive",
        |problem| is_one_of(problem, &["ref", "inline", "url"]) && has_digest(problem),
    ),
    form("/problem", "\"checker\" with \"inline\" alone", |problem| {
        has(problem, "inline") || !has(problem, "checker")
    }),
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

/// Says why a submission cannot be read: names the first value that no form accepts.
pub(super) fn explain(message: &[u8], error: &Error) -> String {
    first_wrong(FORMS, message).unwrap_or_else(|| in_plain_words(error))
}

/// As [`explain`], for a message that cancels.
pub(super) fn explain_cancel(message: &[u8], error: &Error) -> String {
    first_wrong(FORMS_OF_CANCEL, message).unwrap_or_else(|| in_plain_words(error))
}

/// Says what is wrong with a text that is not a JSON object, or has a key twice.
pub(super) fn in_plain_words(error: &Error) -> String {
    let text = error.to_string();
    let place = format!("line {}, column {}", error.line(), error.column());
    if let Some((key, _)) = text.strip_prefix("duplicate field `").and_then(|rest| rest.split_once('`')) {
        return format!("the key \"{key}\" is there twice ({place}); give it once");
    }
    match error.classify() {
        Category::Eof => format!("the text ends too early ({place})"),
        Category::Syntax => format!("the text is not valid JSON ({text})"),
        Category::Data if text.starts_with("invalid type: ") => {
            format!("{OBJECT} ({place})")
        }
        Category::Data | Category::Io => text,
    }
}

/// The first value that no form accepts; `None` where all are accepted, or it is not an object.
fn first_wrong(forms: &[Form], message: &[u8]) -> Option<String> {
    let message: Value = serde_json::from_slice(message).ok()?;
    message.as_object()?;
    forms.iter().find_map(|form| {
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

/// Whether an object has a key whose value is not null, which stands for a key that is not there.
fn has(object: &Value, key: &str) -> bool {
    object.get(key).is_some_and(|value| !value.is_null())
}

fn is_one_of(object: &Value, keys: &[&str]) -> bool {
    keys.iter().filter(|key| has(object, key)).count() == 1
}

fn has_digest(object: &Value) -> bool {
    !has(object, "url") || has(object, "sha256")
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
        assert_eq!(first_wrong(FORMS, whole().to_string().as_bytes()), None);
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
            ("", "judging", Value::Null, "/judging: null is not accepted; give text of 1 to 200 bytes"),
            (
                "/files/0",
                "text",
                Value::Null,
                "/files/0: {\"name\":\"a.c\",\"text\":null} is not accepted; give exactly one",
            ),
            (
                "/files/0",
                "base64",
                json!("eA=="),
                "is not accepted; give exactly one of \"text\", \"base64\" and \"url\"",
            ),
            ("", "files", json!([{"name": "a.c", "url": "https://h/a"}]), "and \"sha256\" with \"url\""),
            ("/problem", "ref", json!("sum"), "/problem: "),
            ("", "problem", json!({}), "/problem: {} is not accepted; give exactly one of \"ref\""),
            (
                "",
                "problem",
                json!({"ref": "a", "checker": "exact"}),
                "give \"checker\" with \"inline\" alone",
            ),
        ] {
            let mut message = whole();
            message.pointer_mut(parent).unwrap()[key] = value;
            let error = parse(message.to_string().as_bytes()).unwrap_err().problem;
            assert!(error.contains(words), "{error}");
            assert!(!error.contains("struct") && !error.contains("expected"), "{error}");
        }
    }

    #[test]
    fn what_is_no_form_s_is_told_without_names_of_types() {
        for (message, words) in [
            ("", "the text ends too early (line 1, column 0)"),
            ("{\"schema\": 1, ", "the text ends too early (line 1"),
            ("{\"schema\": 1, x}", "the text is not valid JSON"),
            ("[]", "a message is an object"),
            ("17", "a message is an object"),
            ("{\"schema\": 1, \"id\": \"a\", \"id\": \"b\"}", "the key \"id\" is there twice"),
            (
                "{\"schema\": 1, \"id\": \"a\", \"language\": \"c17\", \"language\": \"c17\", \"files\": [{\"name\": \"a\", \"text\": \"\"}], \"problem\": {\"ref\": \"a\"}}",
                "the key \"language\" is there twice (line 1, column",
            ),
            (
                "{\"schema\": 1, \"id\": \"a\", \"type\": \"cancel\", \"judging\": null}",
                "not a cancel message: /judging: null is not accepted",
            ),
        ] {
            let error = parse(message.as_bytes()).unwrap_err().problem;
            assert!(error.contains(words), "{message}: {error}");
            assert!(!error.contains("struct") && !error.contains("invalid type"), "{error}");
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
