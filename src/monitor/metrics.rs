//! Collects what [`instruments`] are told, and writes it in Prometheus' text format.

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::instruments;

/// The process's metrics.
#[derive(Debug, Clone)]
pub struct Metrics(PrometheusHandle);

/// The recorder cannot be installed.
#[derive(Debug, thiserror::Error)]
#[error("cannot collect metrics: {0}")]
pub struct RecorderError(#[from] BuildError);

impl Metrics {
    /// Starts collecting. Once a process, before anything is to be counted.
    ///
    /// # Errors
    /// When this process collects already.
    pub fn install() -> Result<Self, RecorderError> {
        let mut builder = PrometheusBuilder::new();
        for (name, buckets) in instruments::HISTOGRAMS {
            builder = builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)?;
        }
        Ok(Self(builder.install_recorder()?))
    }

    /// All of it, in the text format, version 0.0.4.
    pub fn text(&self) -> String {
        self.0.render()
    }

    /// Sorts recorded times into their buckets. To be called every few seconds: until then, or a scrape, they
    /// are kept one by one.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}
