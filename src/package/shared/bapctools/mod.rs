//! Tests that BAPCtools generates from `generators/generators.yaml`, in packages of both ICPC formats.

pub(crate) mod overlay;
mod programs;
mod rules;
