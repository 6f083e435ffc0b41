//! What `deploy/` says about exchanges and queues is what is declared here.

use std::collections::BTreeSet;
use std::path::Path;

use lapin::ExchangeKind;
use lapin::types::AMQPValue;
use serde_json::{Value, json};

use super::{CONTROL, DEAD, DECISIONS, EXCHANGES, PROGRESS, QUEUES, VERDICTS, arguments};
use crate::queue::Document;
use crate::submission::Priority;
use crate::verdict::Verdict;

fn deployed(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    if name.ends_with(".json") {
        serde_json::from_str(&text).unwrap()
    } else {
        serde_saphyr::from_str(&text).unwrap()
    }
}

fn spelled(kind: &ExchangeKind) -> String {
    format!("{kind:?}").to_lowercase()
}

fn spelled_arguments(queue: &str) -> Value {
    let arguments = arguments(queue);
    let spelled = arguments.inner().iter().map(|(name, value)| match value {
        AMQPValue::LongString(text) => (name.to_string(), json!(text.to_string())),
        other => panic!("{name} is {other:?}"),
    });
    Value::Object(spelled.collect())
}

fn set(values: impl IntoIterator<Item = Value>) -> BTreeSet<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

fn list<'a>(document: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    document[key].as_array().unwrap().iter()
}

fn exchanges() -> impl Iterator<Item = (&'static str, ExchangeKind)> {
    EXCHANGES.into_iter().chain([(DECISIONS, ExchangeKind::Fanout)])
}

#[test]
fn definitions_are_what_a_worker_declares() {
    let definitions = deployed("rabbitmq/definitions.json");
    let declared = exchanges().map(|(name, kind)| {
        json!({"name": name, "vhost": "gavel", "type": spelled(&kind), "durable": true, "auto_delete": false,
               "internal": false, "arguments": {}})
    });
    assert_eq!(set(list(&definitions, "exchanges").cloned()), set(declared));
    let declared = QUEUES.iter().map(|(name, ..)| {
        json!({"name": name, "vhost": "gavel", "durable": true, "auto_delete": false,
               "arguments": spelled_arguments(name)})
    });
    assert_eq!(set(list(&definitions, "queues").cloned()), set(declared));
    let declared = QUEUES.iter().map(|(queue, exchange, key)| {
        json!({"source": exchange, "vhost": "gavel", "destination": queue, "destination_type": "queue",
               "routing_key": key, "arguments": {}})
    });
    assert_eq!(set(list(&definitions, "bindings").cloned()), set(declared));
}

#[test]
fn channels_of_the_asyncapi_document_are_what_a_worker_declares() {
    let document = deployed("asyncapi.yaml");
    let channels: Vec<&Value> = document["channels"].as_object().unwrap().values().collect();
    let bindings = || channels.iter().map(|channel| &channel["bindings"]["amqp"]);
    let described = bindings().filter(|binding| binding["is"] == "routingKey");
    let described = described.map(|binding| {
        let exchange = &binding["exchange"];
        assert_eq!((&exchange["durable"], &exchange["autoDelete"]), (&true.into(), &false.into()));
        json!([exchange["name"], exchange["type"]])
    });
    let declared = exchanges().map(|(name, kind)| json!([name, spelled(&kind)]));
    assert_eq!(set(described), set(declared));

    let queues = channels.iter().filter(|channel| channel["bindings"]["amqp"]["is"] == "queue");
    let described = queues.map(|channel| {
        let queue = &channel["bindings"]["amqp"]["queue"];
        assert_eq!((&queue["durable"], &queue["exclusive"]), (&true.into(), &false.into()));
        assert_eq!(channel["address"], queue["name"]);
        json!([queue["name"], channel["x-bound-to"]["exchange"], channel["x-bound-to"]["key"]])
    });
    assert_eq!(
        set(described),
        set(QUEUES.iter().map(|(queue, exchange, key)| json!([queue, exchange, key])))
    );
    for binding in bindings() {
        let place = if binding["is"] == "queue" { &binding["queue"] } else { &binding["exchange"] };
        assert_eq!(place["vhost"], "gavel");
    }
}

/// The values a channel's parameter may take.
fn parameter(document: &Value, channel: &str, name: &str) -> BTreeSet<String> {
    set(list(&document["channels"][channel]["parameters"][name], "enum").cloned())
}

#[test]
fn routing_keys_of_the_asyncapi_document_are_those_that_are_used() {
    let document = deployed("asyncapi.yaml");
    for (channel, exchange, address) in [
        ("submit", "gavel.submit", "judge.{class}".into()),
        ("verdicts", VERDICTS, "verdict.{verdict}".into()),
        ("progress", PROGRESS, "progress.{type}".into()),
        ("control", CONTROL, Value::Null),
        ("decisions", DECISIONS, Value::Null),
        ("deadLetters", DEAD, Value::Null),
    ] {
        let channel = &document["channels"][channel];
        assert_eq!(channel["bindings"]["amqp"]["exchange"]["name"], exchange);
        assert_eq!(channel["address"], address);
    }
    let classes = [Priority::Contest, Priority::Normal, Priority::Rejudge].map(|class| json!(class));
    assert_eq!(parameter(&document, "submit", "class"), set(classes));
    assert_eq!(parameter(&document, "verdicts", "verdict"), set(Verdict::ALL.map(|verdict| json!(verdict))));
    // Verdicts go their own way.
    let event = Document::Event.schema();
    let kinds = list(&event, "anyOf").map(|kind| kind["properties"]["type"]["const"].clone());
    assert_eq!(parameter(&document, "progress", "type"), set(kinds.filter(|kind| !kind.is_null())));
}

#[test]
fn messages_of_the_asyncapi_document_are_those_of_the_schemas() {
    let document = deployed("asyncapi.yaml");
    for kind in Document::ALL {
        let message = &document["components"]["messages"][kind.name()];
        assert_eq!(message["payload"]["$ref"], format!("./schema/{}.json", kind.name()));
        let validator = jsonschema::draft202012::new(&kind.schema()).unwrap();
        let mut examples = 0;
        for example in list(message, "examples") {
            validator.validate(&example["payload"]).unwrap_or_else(|error| panic!("{example:#}: {error}"));
            if let Some(headers) = example.get("headers") {
                let validator = jsonschema::draft202012::new(&message["headers"]).unwrap();
                validator.validate(headers).unwrap_or_else(|error| panic!("{example:#}: {error}"));
            }
            examples += 1;
        }
        assert!(examples > 0, "no example of {}", kind.name());
    }
}
