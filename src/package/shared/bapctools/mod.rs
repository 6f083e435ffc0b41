//! Plans tests that BAPCtools generates from `generators/generators.yaml`, in packages of both ICPC formats.

mod case;
mod numbering;
pub(crate) mod overlay;
mod programs;
mod rules;
