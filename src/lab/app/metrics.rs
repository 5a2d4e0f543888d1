//! Requests of the last ten seconds, for the signals `error_rate` and `p95`.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

const WINDOW: Duration = Duration::from_secs(10);
const MOST: usize = 50_000;

#[derive(Default)]
pub(super) struct Metrics {
    requests: Mutex<VecDeque<Request>>,
}

struct Request {
    at: Instant,
    took: Duration,
    good: bool,
}

/// What `/metrics-lite` answers. Without requests there is no rate: `null`, never zero.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Numbers {
    /// Requests in the window.
    requests: usize,
    /// Of these, not taken.
    errors: usize,
    /// Share of errors, 0 to 1.
    error_rate: Option<f64>,
    /// Seconds below which 95 of 100 requests stayed.
    p95: Option<f64>,
}

impl Metrics {
    pub(super) fn add(&self, took: Duration, good: bool) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() == MOST {
            requests.pop_front();
        }
        requests.push_back(Request { at: Instant::now(), took, good });
    }

    pub(super) fn read(&self) -> Numbers {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        while requests.front().is_some_and(|request| request.at.elapsed() > WINDOW) {
            requests.pop_front();
        }
        let errors = requests.iter().filter(|request| !request.good).count();
        let mut times: Vec<Duration> = requests.iter().map(|request| request.took).collect();
        times.sort_unstable();
        let p95 = times.get((times.len() * 95).div_ceil(100).saturating_sub(1));
        #[expect(clippy::cast_precision_loss, reason = "at most 50,000 requests")]
        let error_rate = (!times.is_empty()).then(|| errors as f64 / times.len() as f64);
        Numbers { requests: times.len(), errors, error_rate, p95: p95.map(Duration::as_secs_f64) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_requests_there_is_no_rate() {
        let numbers = Metrics::default().read();
        assert_eq!(numbers, Numbers { requests: 0, errors: 0, error_rate: None, p95: None });
    }

    #[test]
    fn the_rate_and_the_95th_of_a_hundred() {
        let metrics = Metrics::default();
        for number in 1..=100 {
            metrics.add(Duration::from_secs(number), number <= 98);
        }
        let numbers = metrics.read();
        assert_eq!((numbers.error_rate, numbers.p95), (Some(0.02), Some(95.0)));
    }
}
