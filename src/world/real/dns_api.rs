//! The HTTP API of PowerDNS Authoritative, as far as one name needs it.
//!
//! Source: <https://doc.powerdns.com/authoritative/http-api/>; behaviour marked *seen* was seen on 4.7.3.

use super::client::{Trouble, body, excerpt};
use crate::world::dns::RecordSet;
use crate::world::record_content::{DISABLED, RecordSpec, answering, of_other_family};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// Largest answer that is read; the list of settings is the greatest.
const LIMIT: usize = 1 << 20;
/// Limit in time for the search for disabled records, which scans on large databases.
const SEARCH: Duration = Duration::from_secs(3);

/// Why a call did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Proof that nothing was changed: no connection, or the server said no.
    No(String),
    /// It may have been done.
    Lost(String),
}

impl Failure {
    /// The reason.
    pub fn why(&self) -> &str {
        match self {
            Self::No(why) | Self::Lost(why) => why,
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::NotSent(why) => Self::No(why),
            Trouble::Lost(why) => Self::Lost(why),
        }
    }
}

/// One server's API.
#[derive(Debug)]
pub struct Api {
    /// With limits and TLS set.
    pub client: reqwest::Client,
    /// `https://pdns.example.com:8081`, without path.
    pub url: String,
    /// The server's name in its own API, usually `localhost`.
    pub id: String,
    /// The key.
    pub key: SecretString,
}

/// What stands at a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Sets that decide the answer, without contents of the other address family. Sorted.
    pub sets: Vec<RecordSet>,
    /// Contents of the other address family in the same LUA set, which a write carries over.
    pub others: Vec<String>,
    /// The zone's serial.
    pub serial: u32,
    /// Whether secondaries get the zone by transfer, so that they are to be notified.
    pub primary: bool,
}

#[derive(Deserialize)]
struct Zone {
    serial: u32,
    kind: String,
    rrsets: Vec<Set>,
}

#[derive(Deserialize)]
struct Set {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    ttl: u32,
    records: Vec<Content>,
}

#[derive(Deserialize)]
struct Content {
    content: String,
    disabled: bool,
}

#[derive(Deserialize)]
struct Hit {
    name: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    ttl: u32,
    #[serde(default)]
    content: String,
    #[serde(default)]
    disabled: bool,
}

#[derive(Deserialize)]
struct Server {
    version: String,
}

#[derive(Deserialize)]
struct Setting {
    name: String,
    value: Value,
}

impl Api {
    async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        content: Option<&Value>,
    ) -> Result<Vec<u8>, Failure> {
        let url = format!("{}/api/v1/servers/{}{path}", self.url.trim_end_matches('/'), self.id);
        let mut key = reqwest::header::HeaderValue::from_str(self.key.expose_secret())
            .map_err(|_| Failure::No("the API key holds characters that a header cannot".into()))?;
        key.set_sensitive(true);
        let mut request = self.client.request(method, url).header("X-API-Key", key);
        if let Some(content) = content {
            request = request.json(content);
        }
        let response = request.send().await.map_err(Trouble::of)?;
        let status = response.status();
        let text = body(response, LIMIT).await;
        if status.is_success() {
            return Ok(text?);
        }
        // Errors are JSON with `error`, except 401 and 404, which are plain text (seen).
        let text = text.unwrap_or_default();
        let said = serde_json::from_slice::<Value>(&text)
            .ok()
            .and_then(|json| json.get("error").and_then(Value::as_str).map(str::to_owned))
            .unwrap_or_else(|| String::from_utf8_lossy(&text).into_owned());
        let said = excerpt(&said);
        Err(match status.as_u16() {
            401 | 403 => Failure::No(format!("the API key was not accepted ({status})")),
            404 => Failure::No("the server does not know the zone (404)".into()),
            300..=399 => {
                Failure::No(format!("the API answers with a redirect ({status}), which is not followed"))
            }
            400..=499 => Failure::No(format!("{said} ({status})")),
            _ => Failure::Lost(format!("the API failed: {said} ({status})")),
        })
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let text = self.call(reqwest::Method::GET, path, None).await?;
        serde_json::from_slice(&text)
            .map_err(|error| Failure::No(format!("the API's answer cannot be read: {error}")))
    }

    /// What stands at the record's name.
    pub async fn read(&self, spec: &RecordSpec) -> Result<Standing, Failure> {
        let zone_path = format!("/zones/{}?rrset_name={}", encoded(&spec.zone), encoded(&spec.domain));
        let name = spec.domain.trim_end_matches('.');
        let search_path = format!("/search-data?max=1000&object_type=record&q={}", encoded(name));
        // The read by name hides disabled records (seen), and a REPLACE would drop them: the search shows them. It is no reason
        // to stop when it is slow or forbidden.
        let search = tokio::time::timeout(SEARCH, self.get::<Vec<Hit>>(&search_path));
        let (zone, hits) = futures_util::future::join(self.get::<Zone>(&zone_path), search).await;
        let zone = zone?;
        let hits = hits.ok().and_then(Result::ok).unwrap_or_default();
        Ok(gather(spec, zone, hits))
    }

    /// Replaces what stands at the name in one transaction. `before` is what was read just before.
    pub async fn write(
        &self,
        spec: &RecordSpec,
        before: &Standing,
        sets: &[RecordSet],
    ) -> Result<(), Failure> {
        let content = json!({ "rrsets": changes(spec, before, sets) });
        let path = format!("/zones/{}", encoded(&spec.zone));
        self.call(reqwest::Method::PATCH, &path, Some(&content)).await.map(|_| ())
    }

    /// Tells the secondaries. True if the server took the request.
    pub async fn notify(&self, spec: &RecordSpec) -> bool {
        self.call(reqwest::Method::PUT, &format!("/zones/{}/notify", encoded(&spec.zone)), None).await.is_ok()
    }

    /// Whether a LUA record can be written and will answer.
    ///
    /// # Errors
    /// With the remedy. From version 5.1 a LUA record by API needs a setting of its own (`docs/upgrading.rst` of PowerDNS); a LUA
    /// record on a server without `enable-lua-records` is accepted and answers nothing.
    pub async fn lua_possible(&self, spec: &RecordSpec, before: &Standing) -> Result<(), Failure> {
        let (server, settings) =
            futures_util::future::join(self.get::<Server>(""), self.get::<Vec<Setting>>("/config")).await;
        let (server, settings) = (server?, settings?);
        let value = |name: &str| {
            settings.iter().find(|setting| setting.name == name).map(|setting| match &setting.value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            })
        };
        let needs_updates = needs_update_setting(&server.version);
        if needs_updates
            && value("enable-lua-record-updates").is_some_and(|v| matches!(v.as_str(), "no" | "false"))
        {
            return Err(Failure::No(format!(
                "PowerDNS {} refuses LUA records by API; set enable-lua-record-updates=yes",
                server.version
            )));
        }
        if value("enable-lua-records").is_some_and(|v| matches!(v.as_str(), "no" | "false"))
            && !before.sets.iter().any(|set| set.kind == "LUA")
            && !self.lua_by_metadata(spec).await
        {
            return Err(Failure::No(
                "LUA records are off at this server and would answer nothing; set enable-lua-records=yes"
                    .into(),
            ));
        }
        Ok(())
    }

    /// Whether the zone's own metadata switches LUA records on. Old servers do not show this by API (seen): then false.
    async fn lua_by_metadata(&self, spec: &RecordSpec) -> bool {
        let path = format!("/zones/{}/metadata/ENABLE-LUA-RECORDS", encoded(&spec.zone));
        let found: Result<Value, _> = self.get(&path).await;
        found.is_ok_and(|json| {
            json.get("metadata").and_then(|m| m.get(0)).and_then(Value::as_str) == Some("1")
        })
    }
}

/// Whether a version refuses LUA records by API unless told otherwise: 5.1 and later, and what cannot be told.
fn needs_update_setting(version: &str) -> bool {
    let mut numbers =
        version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) => (major, minor) >= (5, 1),
        _ => true,
    }
}

fn gather(spec: &RecordSpec, zone: Zone, hits: Vec<Hit>) -> Standing {
    let kinds = answering(&spec.kind);
    let same_name =
        |name: &str| name.trim_end_matches('.').eq_ignore_ascii_case(spec.domain.trim_end_matches('.'));
    let mut sets: Vec<RecordSet> = Vec::new();
    let mut add = |kind: &str, ttl: u32, content: String| {
        let position = sets.iter().position(|set| set.kind == kind).unwrap_or_else(|| {
            sets.push(RecordSet { kind: kind.to_owned(), ttl, contents: Vec::new() });
            sets.len() - 1
        });
        if !sets[position].contents.contains(&content) {
            sets[position].contents.push(content);
        }
    };
    for set in
        zone.rrsets.into_iter().filter(|set| same_name(&set.name) && kinds.contains(&set.kind.as_str()))
    {
        for record in set.records {
            let content =
                if record.disabled { format!("{DISABLED}{}", record.content) } else { record.content };
            add(&set.kind, set.ttl, content);
        }
    }
    for hit in hits
        .into_iter()
        .filter(|hit| hit.disabled && same_name(&hit.name) && kinds.contains(&hit.kind.as_str()))
    {
        add(&hit.kind, hit.ttl, format!("{DISABLED}{}", hit.content));
    }
    let mut others = Vec::new();
    for set in sets.iter_mut().filter(|set| set.kind == "LUA") {
        let (other, own) = set.contents.drain(..).partition(|content| of_other_family(&spec.kind, content));
        others = other;
        set.contents = own;
    }
    sets.retain(|set| !set.contents.is_empty());
    for set in &mut sets {
        set.contents.sort();
    }
    sets.sort();
    Standing {
        sets,
        others,
        serial: zone.serial,
        primary: matches!(zone.kind.as_str(), "Master" | "Primary" | "Producer"),
    }
}

/// The transaction that turns one standing into the wanted sets: what is not wanted is deleted, because a LUA set and a plain set
/// of one name both answer (seen).
fn changes(spec: &RecordSpec, before: &Standing, sets: &[RecordSet]) -> Vec<Value> {
    let record = |content: &String| match content.strip_prefix(DISABLED) {
        Some(content) => json!({ "content": content, "disabled": true }),
        None => json!({ "content": content, "disabled": false }),
    };
    let replace = |kind: &str, ttl: u32, contents: &mut dyn Iterator<Item = &String>| {
        json!({
            "name": spec.domain, "type": kind, "ttl": ttl, "changetype": "REPLACE",
            "records": contents.map(record).collect::<Vec<_>>(),
        })
    };
    let mut list = Vec::new();
    for old in &before.sets {
        if sets.iter().any(|set| set.kind == old.kind) {
            continue;
        }
        list.push(if old.kind == "LUA" && !before.others.is_empty() {
            replace("LUA", old.ttl, &mut before.others.iter())
        } else {
            json!({ "name": spec.domain, "type": old.kind, "changetype": "DELETE" })
        });
    }
    for set in sets {
        let others = if set.kind == "LUA" { before.others.as_slice() } else { &[] };
        list.push(replace(&set.kind, set.ttl, &mut set.contents.iter().chain(others)));
    }
    list
}

/// Percent-encoding for a path segment or a query value.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => out.push(char::from(byte)),
            // PowerDNS writes a slash in zone identities as `=2F`; no other name has one.
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> RecordSpec {
        RecordSpec {
            domain: "www.example.com.".into(),
            zone: "example.com.".into(),
            kind: "A".into(),
            ttl: 60,
            targets: Default::default(),
        }
    }

    fn set(kind: &str, contents: &[&str]) -> RecordSet {
        RecordSet { kind: kind.into(), ttl: 60, contents: contents.iter().map(|c| (*c).to_owned()).collect() }
    }

    fn standing(sets: Vec<RecordSet>, others: &[&str]) -> Standing {
        Standing { sets, others: others.iter().map(|c| (*c).to_owned()).collect(), serial: 1, primary: false }
    }

    #[test]
    fn the_other_type_is_deleted_in_the_same_transaction() {
        let before = standing(vec![set("A", &["192.0.2.10"])], &[]);
        let list = changes(&spec(), &before, &[set("LUA", &["A \"x\""])]);
        assert_eq!(list[0], json!({"name": "www.example.com.", "type": "A", "changetype": "DELETE"}));
        assert_eq!(list[1]["type"], "LUA");
        assert_eq!(list[1]["changetype"], "REPLACE");
    }

    #[test]
    fn contents_of_the_other_address_family_are_carried_over() {
        let before = standing(vec![set("LUA", &["A \"x\""])], &["AAAA \"y\""]);
        let list = changes(&spec(), &before, &[set("A", &["192.0.2.10"])]);
        assert_eq!(list[0]["records"], json!([{"content": "AAAA \"y\"", "disabled": false}]));
        let list = changes(&spec(), &before, &[set("LUA", &["A \"z\""])]);
        assert_eq!(list[0]["records"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn disabled_records_keep_their_state() {
        let list =
            changes(&spec(), &standing(vec![], &[]), &[set("A", &["192.0.2.10", "disabled: 192.0.2.11"])]);
        assert_eq!(list[0]["records"][1], json!({"content": "192.0.2.11", "disabled": true}));
    }

    #[test]
    fn the_version_gate_begins_at_5_1() {
        for (version, needs) in
            [("4.7.3", false), ("5.0.2", false), ("5.1.0", true), ("5.2.0-rc1", true), ("git", true)]
        {
            assert_eq!(needs_update_setting(version), needs, "{version}");
        }
    }
}
