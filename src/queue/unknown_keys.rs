//! Collects the keys of a submission that have no effect, for warnings.

use serde_ignored::Path;

/// Unknown keys that are named; the rest is counted.
const MOST_NAMED: usize = 10;
/// Characters of a key that are shown.
const LONGEST_SHOWN: usize = 40;

/// The objects of a submission and their keys. `*` stands for an index.
const OBJECTS: [(&str, &str); 6] = [
    (
        "",
        "schema, type, id, judging, language, files, entry_point, problem, limits, policy, tests, feedback, reply_to, priority, meta",
    ),
    ("files.*", "name, text, base64, url, sha256"),
    ("problem", "ref, inline, checker, url, sha256"),
    ("problem.inline.*", "input, answer"),
    ("limits", "cpu, wall, memory, output, processes"),
    ("policy", "stop"),
];

/// Unknown keys of one submission.
#[derive(Debug, Default)]
pub(super) struct UnknownKeys {
    named: Vec<String>,
    unnamed: usize,
}

impl UnknownKeys {
    /// Notes a key that no field has.
    pub(super) fn note(&mut self, path: &Path<'_>) {
        let (parent, key) = match path {
            // Read before the submission is.
            Path::Map { parent: Path::Root, key } if key == "type" => return,
            Path::Map { parent, key } => (*parent, key),
            _ => return,
        };
        if self.named.len() == MOST_NAMED {
            self.unnamed += 1;
            return;
        }
        let object = spelled(parent, true);
        let known = OBJECTS.iter().find(|(name, _)| *name == object).map_or("", |(_, keys)| keys);
        let place = spelled(parent, false);
        let dot = if place.is_empty() { "" } else { "." };
        let key: String = key
            .chars()
            .take(LONGEST_SHOWN)
            .map(|character| if character.is_control() { ' ' } else { character })
            .collect();
        self.named.push(format!("'{place}{dot}{key}' has no effect: the keys there are {known}"));
    }

    /// Returns one line for each key, or for all that are too many to name.
    pub(super) fn warnings(self) -> Vec<String> {
        let mut warnings = self.named;
        if self.unnamed > 0 {
            warnings.push(format!("{} more unknown keys have no effect", self.unnamed));
        }
        warnings
    }
}

/// Spells where an object stands, such as `problem.inline.0`; with `*` for indices where `is_general`.
fn spelled(path: &Path<'_>, is_general: bool) -> String {
    let below = |parent: &Path<'_>, name: &str| {
        let parent = spelled(parent, is_general);
        if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
    };
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, .. } if is_general => below(parent, "*"),
        Path::Seq { parent, index } => below(parent, &index.to_string()),
        Path::Map { parent, key } => below(parent, key),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            spelled(parent, is_general)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::queue::Document;
    use crate::queue::message::{Message, parse};

    fn warnings(message: &Value) -> Vec<String> {
        let Ok(Message::Submission(submission)) = parse(message.to_string().as_bytes()) else {
            panic!("refused: {message}")
        };
        submission.warnings
    }

    fn whole() -> Value {
        json!({"schema": 1, "type": "submission", "id": "s", "language": "c", "files": [{"name": "a.c", "text": "x"}],
               "problem": {"inline": [{"input": "1", "answer": "2"}]}, "limits": {"cpu": "1s"},
               "policy": {"stop": "full"}, "meta": {"anything": {"goes": 1}}})
    }

    #[test]
    fn keys_that_have_no_effect_are_named_wherever_they_stand() {
        assert_eq!(warnings(&whole()), [""; 0]);
        for (pointer, named) in [
            ("/prioriy", "'prioriy' has no effect: the keys there are schema, type, id"),
            ("/limits/time", "'limits.time' has no effect: the keys there are cpu, wall"),
            ("/policy/stopp", "'policy.stopp' has no effect: the keys there are stop"),
            ("/problem/tests", "'problem.tests' has no effect: the keys there are ref, inline"),
            ("/problem/inline/0/output", "'problem.inline.0.output' has no effect: the keys there are input"),
            ("/files/0/content", "'files.0.content' has no effect: the keys there are name, text"),
        ] {
            let mut message = whole();
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            message.pointer_mut(parent).unwrap()[key] = json!({"x": [1]});
            let warnings = warnings(&message);
            assert!(warnings.len() == 1 && warnings[0].starts_with(named), "{warnings:?}");
        }
        let mut many = whole();
        for number in 0..50 {
            many["limits"][format!("{number}{}", "x".repeat(1000))] = json!(1);
        }
        let warnings = warnings(&many);
        assert_eq!((warnings.len(), warnings[10].as_str()), (11, "40 more unknown keys have no effect"));
        assert!(warnings.iter().all(|warning| warning.len() < 200), "{warnings:?}");
    }

    #[test]
    fn the_keys_that_warnings_name_are_those_of_the_schema() {
        let schema = Document::Submission.schema();
        let find = |object: &str| -> Value {
            let mut place = schema.clone();
            for step in object.split('.').filter(|step| !step.is_empty()) {
                place = if step == "*" { place["items"].clone() } else { place["properties"][step].clone() };
                if let Some(choice) = place["anyOf"].get(0) {
                    place = choice.clone();
                }
                if let Some(name) = place["$ref"].as_str() {
                    place = schema.pointer(name.trim_start_matches('#')).unwrap().clone();
                }
            }
            place["properties"].clone()
        };
        for (object, keys) in OBJECTS {
            let described: Vec<_> = find(object).as_object().unwrap().keys().cloned().collect();
            let (mut named, mut described): (Vec<_>, Vec<_>) =
                (keys.split(", ").map(str::to_owned).collect(), described);
            named.sort();
            described.sort();
            assert_eq!(named, described, "{object}");
        }
    }
}
