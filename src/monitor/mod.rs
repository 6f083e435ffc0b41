//! The operator's view of a worker: a small HTTP port, and word to the service manager.
//!
//! [`Status`] says whether the worker lives, whether it takes work, and why not; [`serve`] shows that and the
//! metrics over HTTP, [`watch`] tells systemd. What is unwell is decided elsewhere, here it is only passed on.
//!
//! What always holds:
//! - looking disturbs nothing: whatever is sent to the port, and however slowly it is read, costs one thread a
//!   bounded share of its time and a bounded number of descriptors;
//! - the service manager hears that the worker lives only from the worker itself, and only while that is true;
//! - ready is said first when work can come, and no longer once the worker stops.
//!
//! What it refuses to know: submissions, contestants, and whatever a message says.

mod http;
mod metrics;
mod service_manager;
mod status;

pub use http::{Bound, ListenError, bind, serve};
pub use metrics::{Metrics, RecorderError};
pub use service_manager::{Watch, connect_service_manager, watch};
pub use status::Status;
