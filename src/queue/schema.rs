//! JSON Schema (2020-12) of every message, made from the types that read and write them.
//!
//! What comes in is described as it is read: fields with a default may be missing, unknown fields are
//! tolerated. What goes out is described as it is written: every field is there.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use crate::report::{Event, Report};
use crate::submission::{Cancel, SCHEMA, Submission};

/// A kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// What a backend sends to have something judged.
    Submission,
    /// What a backend sends to stop a judging.
    Cancel,
    /// What is told on the way, verdicts included as `gavel judge --format ndjson` prints them.
    Event,
    /// The verdict with everything beside it.
    Report,
}

impl Document {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Submission, Self::Cancel, Self::Event, Self::Report];

    /// Its name, also of its file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Submission => "submission",
            Self::Cancel => "cancel",
            Self::Event => "event",
            Self::Report => "report",
        }
    }

    /// Its schema.
    pub fn schema(self) -> Value {
        let schema = match self {
            Self::Submission => read::<Submission>(),
            Self::Cancel => read::<Cancel>(),
            Self::Event => written::<Event>(),
            Self::Report => written::<Report>(),
        };
        let mut object = schema.to_value();
        if let Some(object) = object.as_object_mut() {
            if let (Self::Submission, Some(Value::Object(properties))) = (self, object.get_mut("properties"))
            {
                properties.shift_insert(1, "type".to_owned(), submission_type());
            }
            object.insert("$id".to_owned(), format!("urn:gavel:schema:{SCHEMA}:{}", self.name()).into());
            for (place, key) in ["$schema", "$id", "title", "description"].into_iter().enumerate() {
                if let Some(value) = object.shift_remove(key) {
                    object.shift_insert(place, key.to_owned(), value);
                }
            }
        }
        object
    }
}

/// A message that says no type is a submission.
fn submission_type() -> Value {
    json!({"type": "string", "const": "submission", "default": "submission", "description": "What this is."})
}

fn read<T: JsonSchema>() -> Schema {
    generator(SchemaSettings::draft2020_12().for_deserialize()).into_root_schema_for::<T>()
}

fn written<T: JsonSchema>() -> Schema {
    generator(SchemaSettings::draft2020_12().for_serialize()).into_root_schema_for::<T>()
}

fn generator(settings: SchemaSettings) -> SchemaGenerator {
    settings.with_transform(RecursiveTransform(without_rust_formats)).into_generator()
}

/// Formats like `uint32` are no formats of JSON Schema, and strict validators stop at them.
fn without_rust_formats(schema: &mut Schema) {
    schema.remove("format");
}
