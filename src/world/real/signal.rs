//! Numbers that conditions ask for: Prometheus, a field of a JSON answer, one value of a database.
//!
//! A number that is missing, doubled, not finite, old or doubtful is unknown. In particular an empty result is not zero, and a
//! query's `or vector(0)` cannot be seen from here (a warning of `check`).

use super::addresses::Addresses;
use super::client::{self, Trouble, excerpt};
use crate::world::clock::Moment;
use crate::world::signal::{SignalCall, Signals};
use crate::world::{Answer, Known};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Largest answer that is read.
const LIMIT: usize = 1 << 20;
/// How old a sample of an instant selector may be. Prometheus itself would accept five minutes, in which a dead region still
/// looks alive.
const FRESH: Duration = Duration::from_secs(120);

/// What the port needs of the inventory.
pub struct Settings {
    /// Signals by name.
    pub signals: BTreeMap<String, Signal>,
    /// Asks a database; given by whoever wires the PostgreSQL port.
    pub sql: Rc<dyn Sql>,
    /// Where names are looked up.
    pub addresses: Addresses,
}

/// A signal.
pub struct Signal {
    /// Where it comes from.
    pub source: Source,
    /// Limit for one sample; 5 s is usual.
    pub timeout: Duration,
}

/// Where a number comes from. What differs by region is already made: a map by the argument of the call (`error_rate(us-east)`
/// asks for `us-east`; a call without argument asks for the empty text).
pub enum Source {
    /// An instant query.
    Prometheus {
        /// Address without `/api/v1`.
        url: String,
        /// How to sign in.
        login: Login,
        /// For `https`.
        tls: Arc<rustls::ClientConfig>,
        /// Queries by argument.
        queries: BTreeMap<String, String>,
    },
    /// A field of a JSON answer.
    Http {
        /// Addresses by argument.
        urls: BTreeMap<String, String>,
        /// JSON pointer (RFC 6901).
        pointer: String,
        /// How to sign in.
        login: Login,
        /// For `https`.
        tls: Arc<rustls::ClientConfig>,
    },
    /// One row with one column.
    Sql {
        /// Name of the cluster in the inventory.
        cluster: String,
        /// The query.
        query: String,
    },
}

/// How to sign in.
pub enum Login {
    /// Not at all.
    None,
    /// `Authorization: Bearer`.
    Bearer(SecretString),
    /// User and password.
    Basic(String, SecretString),
}

/// A database that can be asked for one number.
pub trait Sql {
    /// Runs a query in a read-only transaction with a limit in time, at the member of a cluster in a region, and gives the one
    /// number of its one row. Unknown when there is none, several, NULL, no number, no right, no such member, or no answer.
    fn number<'a>(
        &'a self,
        cluster: &'a str,
        region: &'a str,
        query: &'a str,
        timeout: Duration,
    ) -> Answer<'a, Known<f64>>;
}

/// No database is wired.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSql;

impl Sql for NoSql {
    fn number<'a>(&'a self, cluster: &'a str, _: &'a str, _: &'a str, _: Duration) -> Answer<'a, Known<f64>> {
        crate::world::ready(Known::Unknown(format!("no database `{cluster}` can be asked")))
    }
}

/// Asks where the inventory says.
pub struct RealSignals {
    signals: BTreeMap<String, (Signal, Option<reqwest::Client>)>,
    sql: Rc<dyn Sql>,
}

impl RealSignals {
    /// Makes the port. Nothing is asked yet.
    ///
    /// # Errors
    /// When a client cannot be built.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let mut signals = BTreeMap::new();
        for (name, signal) in settings.signals {
            let client = match &signal.source {
                Source::Prometheus { tls, .. } | Source::Http { tls, .. } => {
                    Some(client::builder(tls, &settings.addresses, signal.timeout).build().map_err(
                        |error| format!("signal {name}: {}", client::reason(&error.without_url())),
                    )?)
                }
                Source::Sql { .. } => None,
            };
            signals.insert(name, (signal, client));
        }
        Ok(Self { signals, sql: settings.sql })
    }

    async fn ask(&self, call: &SignalCall) -> Result<f64, String> {
        let (signal, client) = self
            .signals
            .get(&call.name)
            .ok_or_else(|| format!("no signal `{}` in the inventory", call.name))?;
        match (&signal.source, client) {
            (Source::Prometheus { url, login, queries, .. }, Some(client)) => {
                let query = by_argument(queries, call)?;
                let url = format!("{}/api/v1/query", url.trim_end_matches('/'));
                let seconds = |time: Duration| format!("{}s", time.as_secs().max(1));
                let form = form(&[
                    ("query", query),
                    ("timeout", &seconds(signal.timeout)),
                    // Ignored by versions that do not know it.
                    ("lookback_delta", &seconds(FRESH)),
                ]);
                let request = client
                    .post(url)
                    .header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(form);
                let (status, json) = json(signed(request, login)).await?;
                prometheus(status, &json, super::clock::wall())
            }
            (Source::Http { urls, pointer, login, .. }, Some(client)) => {
                let url = by_argument(urls, call)?;
                let (status, json) = json(signed(client.get(url), login)).await?;
                if status != 200 {
                    return Err(format!("status {status}"));
                }
                pointed(&json, pointer)
            }
            (Source::Sql { cluster, query }, _) => {
                match self.sql.number(cluster, &call.of, query, signal.timeout).await {
                    Known::Known(value) => finite(value),
                    Known::Unknown(why) => Err(why),
                }
            }
            (Source::Prometheus { .. } | Source::Http { .. }, None) => Err("no client".into()),
        }
    }
}

fn by_argument<'a>(map: &'a BTreeMap<String, String>, call: &SignalCall) -> Result<&'a String, String> {
    map.get(&call.of).ok_or_else(|| match call.of.as_str() {
        "" => format!("{} needs a region", call.name),
        of => format!("{} is not known for {of}", call.name),
    })
}

fn signed(request: reqwest::RequestBuilder, login: &Login) -> reqwest::RequestBuilder {
    match login {
        Login::None => request,
        Login::Bearer(token) => request.bearer_auth(token.expose_secret()),
        Login::Basic(user, password) => request.basic_auth(user, Some(password.expose_secret())),
    }
}

async fn json(request: reqwest::RequestBuilder) -> Result<(u16, Value), String> {
    let response = request.send().await.map_err(|error| Trouble::of(error).why().to_owned())?;
    let status = response.status().as_u16();
    let body = client::body(response, LIMIT).await.map_err(|trouble| trouble.why().to_owned())?;
    match serde_json::from_slice(&body) {
        Ok(json) => Ok((status, json)),
        Err(_) => Err(format!("status {status}, no JSON: {}", excerpt(&String::from_utf8_lossy(&body)))),
    }
}

/// Reads an answer of `/api/v1/query` (<https://prometheus.io/docs/prometheus/latest/querying/api/>).
fn prometheus(status: u16, json: &Value, now: Moment) -> Result<f64, String> {
    if json["status"] != "success" {
        let said = json["error"].as_str().unwrap_or("no reason");
        return Err(format!("{} (status {status})", excerpt(said)));
    }
    // Partial data of a federated store comes as a warning.
    if let Some(warning) = json["warnings"].as_array().and_then(|list| list.first()) {
        return Err(format!("the server warns: {}", excerpt(warning.as_str().unwrap_or("without words"))));
    }
    let data = &json["data"];
    let sample = match data["resultType"].as_str() {
        Some("scalar") => &data["result"],
        Some("vector") => match data["result"].as_array().map(Vec::as_slice) {
            Some([one]) => &one["value"],
            Some([]) => return Err("the query gives no series".into()),
            Some(several) => return Err(format!("the query gives {} series instead of one", several.len())),
            None => return Err("the answer has no result".into()),
        },
        other => return Err(format!("the query gives a {}, not one number", other.unwrap_or("nothing"))),
    };
    let (Some(at), Some(value)) = (sample[0].as_f64(), sample[1].as_str()) else {
        return Err("the sample cannot be read".into());
    };
    #[allow(clippy::cast_precision_loss, reason = "milliseconds of this century are exact in f64")]
    let age = now.0 as f64 / 1000.0 - at;
    if age.abs() > FRESH.as_secs_f64() {
        return Err(format!("the sample is {age:.0} s old"));
    }
    finite(value.parse().map_err(|_| format!("`{}` is no number", excerpt(value)))?)
}

fn pointed(json: &Value, pointer: &str) -> Result<f64, String> {
    match json.pointer(pointer) {
        Some(Value::Number(number)) => finite(number.as_f64().ok_or("the number is too large")?),
        Some(Value::Null) => Err(format!("{pointer} is null")),
        Some(_) => Err(format!("{pointer} is no number")),
        None => Err(format!("the answer has no {pointer}")),
    }
}

fn finite(value: f64) -> Result<f64, String> {
    if value.is_finite() { Ok(value) } else { Err(format!("the value is {value}")) }
}

/// `application/x-www-form-urlencoded`, made by the URL parser.
fn form(pairs: &[(&str, &str)]) -> String {
    reqwest::Url::parse_with_params("http://form/", pairs)
        .ok()
        .and_then(|url| url.query().map(str::to_owned))
        .unwrap_or_default()
}

impl Signals for RealSignals {
    fn sample<'a>(&'a self, call: &'a SignalCall) -> Answer<'a, Known<f64>> {
        Box::pin(async move {
            match self.ask(call).await {
                Ok(value) => Known::Known(value),
                Err(why) => Known::Unknown(why),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn vector(samples: Value) -> Value {
        json!({"status": "success", "data": {"resultType": "vector", "result": samples}})
    }

    #[test]
    fn only_one_finite_fresh_sample_without_warning_is_a_number() {
        let now = Moment(1_700_000_000_000);
        let at = |value: &str| json!({"metric": {}, "value": [1_700_000_000.0, value]});
        let read = |json: &Value| prometheus(200, json, now);
        assert_eq!(read(&vector(json!([at("0.02")]))), Ok(0.02));
        assert_eq!(
            read(
                &json!({"status": "success", "data": {"resultType": "scalar", "result": [1_700_000_000, "3"]}})
            ),
            Ok(3.0)
        );
        let mut warned = vector(json!([at("1")]));
        warned["warnings"] = json!(["store is down"]);
        for (json, word) in [
            (vector(json!([])), "no series"),
            (vector(json!([at("1"), at("2")])), "2 series"),
            (vector(json!([at("NaN")])), "NaN"),
            (vector(json!([at("+Inf")])), "inf"),
            (vector(json!([{"metric": {}, "value": [1_699_999_000.0, "1"]}])), "1000 s old"),
            (warned, "store is down"),
            (json!({"status": "error", "error": "bad query"}), "bad query"),
            (json!({"status": "success", "data": {"resultType": "matrix", "result": []}}), "matrix"),
            (json!({}), "no reason"),
        ] {
            let why = read(&json).unwrap_err();
            assert!(why.contains(word), "{json} → {why}");
        }
    }

    #[test]
    fn a_pointer_gives_numbers_only() {
        let json = json!({"data": {"lag": 1.5, "text": "1", "none": null}});
        assert_eq!(pointed(&json, "/data/lag"), Ok(1.5));
        for pointer in ["/data/text", "/data/none", "/data/absent", "/data"] {
            assert!(pointed(&json, pointer).is_err(), "{pointer}");
        }
    }

    #[test]
    fn queries_are_encoded_as_a_form() {
        assert_eq!(form(&[("query", "a{b=\"c d\"} & 1")]), "query=a%7Bb%3D%22c+d%22%7D+%26+1");
    }
}
