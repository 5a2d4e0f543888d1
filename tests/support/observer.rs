//! An outside observer: a thread with connections of its own, around every proxy, that asks each database every 10 ms whether a plain
//! application could write now, and writes now and then itself. It believes nobody; what it has seen is compared at the end.

use mrctl::lab::{Lab, Region, Secret};
use secrecy::ExposeSecret as _;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How often each database is asked.
const PACE: Duration = Duration::from_millis(10);
/// Every so many questions a row is written.
const WRITES: u64 = 5;
/// Who has not answered by then is asked anew, on another connection.
const LIMIT: Duration = Duration::from_millis(500);
/// What a plain application meets: `on` on a standby, too.
const QUESTION: &str = "SELECT current_setting('transaction_read_only') = 'off' AND NOT pg_is_in_recovery()";

/// One answer.
#[derive(Clone, Copy, Debug)]
struct Sample {
    asked: Duration,
    answered: Duration,
    /// `None`: no answer.
    writable: Option<bool>,
}

/// What was seen of one database.
#[derive(Debug, Default)]
struct Log {
    samples: Vec<Sample>,
    /// Rows whose commit was acknowledged, and when that was.
    acknowledged: Vec<(String, Duration)>,
}

/// Watches until it is asked what it has seen.
pub struct Observer {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<BTreeMap<Region, Log>>,
}

/// What it has seen.
#[derive(Debug)]
pub struct Seen {
    /// Answers by region.
    pub answers: BTreeMap<Region, usize>,
    /// Moments at which both could be written, since the begin.
    pub both: Vec<Duration>,
    /// The longest time in which none could.
    pub gap: Duration,
    /// Acknowledged rows by region.
    pub acknowledged: BTreeMap<Region, BTreeSet<String>>,
}

impl Observer {
    /// Begins to watch a lab.
    pub fn of(lab: &Lab) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tls = lab.pki().client_config().unwrap();
        let config = |region: Region, user: &str, secret: Secret| {
            let mut config = Config::new();
            config
                .host(region.address().to_string())
                .port(lab.ports().postgres)
                .user(user)
                .password(lab.secrets().read(secret).unwrap().expose_secret())
                .dbname("orders")
                .application_name("observer")
                .ssl_mode(tokio_postgres::config::SslMode::Require);
            config
        };
        // One role that a freeze spares, so that it can be asked all the time, and the application's, which it has to stop.
        let logins = Region::ALL.map(|region| {
            let asks = config(region, "monitoring", Secret::Monitoring);
            (region, asks, config(region, "app", Secret::App))
        });
        let stopped = Arc::clone(&stop);
        let began = Instant::now();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let watch = |(region, asks, writes)| {
                let (tls, stopped) = (tls.clone(), Arc::clone(&stopped));
                async move { (region, watch(region, asks, writes, tls, began, &stopped).await) }
            };
            let logs = runtime.block_on(futures_util::future::join_all(logins.map(watch)));
            logs.into_iter().collect()
        });
        Self { stop, thread }
    }

    /// Ends, and tells.
    pub fn end(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        let logs = self.thread.join().unwrap();
        let answers = |log: &Log| log.samples.iter().filter(|sample| sample.writable.is_some()).count();
        Seen {
            answers: logs.iter().map(|(region, log)| (*region, answers(log))).collect(),
            both: both(&logs[&Region::EuWest].samples, &logs[&Region::UsEast].samples),
            gap: gap(&logs),
            acknowledged: logs
                .into_iter()
                .map(|(region, log)| (region, log.acknowledged.into_iter().map(|(id, _)| id).collect()))
                .collect(),
        }
    }
}

impl Seen {
    /// Rows that were acknowledged and that the database of a region does not have now.
    pub async fn lost(&self, lab: &Lab, region: Region) -> Vec<String> {
        let session = lab.connect(region, mrctl::lab::Role::Superuser).await.unwrap();
        let rows = session.query("SELECT id FROM orders WHERE id LIKE 'seen-%'", &[]).await.unwrap();
        let there: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
        self.acknowledged.values().flatten().filter(|id| !there.contains(*id)).cloned().collect()
    }
}

async fn connect(config: &Config, tls: &rustls::ClientConfig) -> Option<Client> {
    let connecting = tokio::time::timeout(LIMIT, config.connect(MakeRustlsConnect::new(tls.clone())));
    let (client, connection) = connecting.await.ok()?.ok()?;
    tokio::spawn(connection);
    Some(client)
}

async fn watch(
    region: Region,
    asks: Config,
    writes: Config,
    tls: rustls::ClientConfig,
    began: Instant,
    stop: &AtomicBool,
) -> Log {
    let mut log = Log::default();
    let (mut asking, mut writing) = (None, None);
    let mut ticks = tokio::time::interval(PACE);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut number = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        number += 1;
        let asked = began.elapsed();
        let writable = ask(&mut asking, &asks, &tls).await;
        log.samples.push(Sample { asked, answered: began.elapsed(), writable });
        if number.is_multiple_of(WRITES) && writable.is_some() {
            let id = format!("seen-{region}-{number}");
            if write(&mut writing, &writes, &tls, &id).await {
                log.acknowledged.push((id, began.elapsed()));
            }
        }
    }
    log
}

async fn ask(
    session: &mut Option<(Client, tokio_postgres::Statement)>,
    config: &Config,
    tls: &rustls::ClientConfig,
) -> Option<bool> {
    if session.is_none() {
        let client = connect(config, tls).await?;
        let statement = tokio::time::timeout(LIMIT, client.prepare(QUESTION)).await.ok()?.ok()?;
        *session = Some((client, statement));
    }
    let (client, statement) = session.as_ref()?;
    let answered = tokio::time::timeout(LIMIT, client.query_one(statement, &[])).await;
    match answered {
        Ok(Ok(row)) => Some(row.get(0)),
        Ok(Err(_)) | Err(_) => {
            *session = None;
            None
        }
    }
}

/// Whether a plain insert was acknowledged.
async fn write(session: &mut Option<Client>, config: &Config, tls: &rustls::ClientConfig, id: &str) -> bool {
    if session.as_ref().is_none_or(Client::is_closed) {
        *session = connect(config, tls).await;
    }
    let Some(client) = session.as_ref() else { return false };
    let insert = format!("INSERT INTO orders (id, client, seq) VALUES ('{id}', -1, 0)");
    match tokio::time::timeout(LIMIT, client.batch_execute(&insert)).await {
        Ok(written) => written.is_ok(),
        Err(_) => {
            *session = None;
            false
        }
    }
}

/// Moments at which both said that they take writes: answers that overlap, or one that lies between two of the other.
fn both(one: &[Sample], other: &[Sample]) -> Vec<Duration> {
    let writes = |sample: &&Sample| sample.writable == Some(true);
    let between = |sample: &Sample, others: &[Sample]| {
        let behind = others.partition_point(|other| other.asked <= sample.asked);
        let (before, after) = (others[..behind].last(), others.get(behind));
        let overlaps = |other: &Sample| other.asked <= sample.answered && sample.asked <= other.answered;
        let beside = [before, after].into_iter().flatten().filter(writes).any(overlaps);
        beside || before.as_ref().is_some_and(writes) && after.as_ref().is_some_and(writes)
    };
    let found = |of: &[Sample], others: &[Sample]| -> Vec<Duration> {
        of.iter().filter(writes).filter(|sample| between(sample, others)).map(|s| s.asked).collect()
    };
    let mut moments = [found(one, other), found(other, one)].concat();
    moments.sort();
    moments
}

/// The longest time in which no database could be written: from the last answer that said so to the next one.
fn gap(logs: &BTreeMap<Region, Log>) -> Duration {
    let mut moments: Vec<Duration> = logs
        .values()
        .flat_map(|log| &log.samples)
        .filter(|sample| sample.writable == Some(true))
        .map(|sample| sample.answered)
        .collect();
    moments.sort();
    moments.windows(2).map(|two| two[1] - two[0]).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(list: &[(u64, u64, bool)]) -> Vec<Sample> {
        let ms = Duration::from_millis;
        let sample = |(asked, answered, writable): &(u64, u64, bool)| Sample {
            asked: ms(*asked),
            answered: ms(*answered),
            writable: Some(*writable),
        };
        list.iter().map(sample).collect()
    }

    #[test]
    fn two_at_once_are_answers_that_overlap_or_enclose() {
        let one = samples(&[(0, 1, true), (10, 11, true), (20, 21, false), (30, 31, false)]);
        let later = samples(&[(5, 6, false), (15, 16, false), (25, 26, true), (35, 36, true)]);
        assert!(both(&one, &later).is_empty());
        let overlapping = samples(&[(5, 6, false), (10, 12, true), (22, 23, false)]);
        assert_eq!(both(&one, &overlapping).len(), 2);
        let enclosed = samples(&[(5, 6, true), (15, 16, false)]);
        assert_eq!(both(&one, &enclosed), [Duration::from_millis(5)]);
    }
}
