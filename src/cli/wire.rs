//! The inventory into real ports: the only place where they meet.

use super::folders;
use super::secrets;
use super::setup::holder;
use crate::error::{Code, Problem, Problems, Severity};
use crate::plan::TableOfKinds;
use crate::redact::Redactor;
use crate::runbook::discovery::Loaded;
use crate::runbook::inventory::{self, Inventory, Secret, Tls, Verify};
use crate::world::World;
use crate::world::real::addresses::Addresses;
use crate::world::real::secret::{Resolver, Source};
use crate::world::real::{cache, clock, dns, dns_ask, exec, http, notify, postgres, signal, tls};
use crate::world::record_content::RecordSpec;
use rustls::ClientConfig;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How long a command that prints a secret may take.
const SECRET: Duration = Duration::from_secs(10);

/// Makes all ports of an inventory. Every secret is resolved here, before the first change; problems are all reported at once. `weak`:
/// how bad a secret is that cannot be kept out of sight. It stops what begins, and never what must go on or only looks.
pub async fn world(
    loaded: &Loaded,
    redactor: &Redactor,
    weak: Severity,
    state: Option<&Path>,
    problems: &mut Problems,
) -> Option<World> {
    let variables = |name: &str| variable(name);
    let resolver = Resolver { variables: &variables, timeout: SECRET };
    let mut wiring = Wiring { loaded, redactor, resolver, weak, problems };
    let before = wiring.problems.errors();
    let heartbeats = postgres::Heartbeats {
        folder: state.map(|state| folders::heartbeats(state, &loaded.inventory.name)),
        tables: loaded
            .inventory
            .postgres
            .iter()
            .filter_map(|(name, cluster)| {
                let heartbeat = cluster.heartbeat.as_ref()?;
                Some((name.clone(), (heartbeat.table.clone(), heartbeat.every.as_duration())))
            })
            .collect(),
    };
    let postgres = postgres::RealPostgres::new(wiring.postgres().await).with_heartbeats(heartbeats);
    let postgres = Rc::new(postgres.held_by(&holder()));
    let dns = wiring.dns().await;
    let http = wiring.http();
    let cache = wiring.cache().await;
    let notify = wiring.notify().await;
    let signals = wiring.signals(Rc::clone(&postgres) as _).await;
    let environment = loaded.inventory.name.clone();
    let exec = exec::Settings { variables: Rc::new(variable), redactor: redactor.clone(), environment };
    let mut made = |result: Result<(), String>| {
        if let Err(why) = result {
            wiring.problems.push(Problem::error(Code::BadValue, why));
        }
    };
    let dns = dns::RealDns::new(dns).map_err(|why| made(Err(why))).ok();
    let notify = notify::RealNotify::new(notify).map_err(|why| made(Err(why))).ok();
    let signals = signal::RealSignals::new(signals).map_err(|why| made(Err(why))).ok();
    if problems.errors() > before {
        return None;
    }
    Some(World {
        clock: Rc::new(clock::RealClock),
        postgres,
        dns: Rc::new(dns?),
        http: Rc::new(http::RealHttp::new(http)),
        cache: Rc::new(cache::RealCache::new(cache)),
        exec: Rc::new(exec::RealExec::new(exec)),
        notify: Rc::new(notify?),
        signals: Rc::new(signals?),
        fenced: Rc::default(),
    })
}

/// A variable of the operator's environment.
#[expect(clippy::disallowed_methods, reason = "the command line is where the environment is read")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The kinds, for rules and schema.
pub const KINDS: TableOfKinds = TableOfKinds;

struct Wiring<'a> {
    loaded: &'a Loaded,
    redactor: &'a Redactor,
    resolver: Resolver<'a>,
    weak: Severity,
    problems: &'a mut Problems,
}

impl Wiring<'_> {
    fn inventory(&self) -> &Inventory {
        &self.loaded.inventory
    }

    async fn secret(&mut self, secret: &Secret, path: &[&str]) -> SecretString {
        let source = match secret {
            Secret::Env(name) => Source::Env(name.clone()),
            Secret::File(file) => Source::File(self.loaded.folder.join(file)),
            Secret::Command(argv) => Source::Command(argv.clone()),
        };
        match self.resolver.resolve(&source).await {
            Ok(secret) => {
                let (reference, shown) = (path.join("."), source.to_string());
                let long = self.redactor.name(&secret, &format!("{reference} ({shown})"));
                let refused = secrets::judge(self.redactor, long, &reference, &shown, self.inventory());
                // Scrubbed from its own refusal, it would show by the gap which word it is.
                if refused.is_none() || self.weak == Severity::Warning {
                    self.redactor.add(&secret);
                }
                if let Some(problem) = refused {
                    let problem = Problem { severity: self.weak, ..problem };
                    self.problems.push(problem.at(self.loaded.text.span(path)));
                }
                secret
            }
            Err(error) => {
                let problem = Problem::error(Code::SecretUnreadable, format!("the secret cannot be read: {error}"))
                    .help("set the variable or make the file where mrctl runs; only whoever runs it needs to read it");
                self.problems.push(problem.at(self.loaded.text.span(path)));
                SecretString::from(String::new())
            }
        }
    }

    async fn optional(&mut self, secret: Option<&Secret>, path: &[&str]) -> Option<SecretString> {
        match secret {
            Some(secret) => Some(self.secret(secret, path).await),
            None => None,
        }
    }

    /// A TLS configuration; nothing where the inventory turns it off.
    fn tls(&mut self, tls: &Tls, path: &[&str]) -> Option<Arc<ClientConfig>> {
        let verify = match tls.verify {
            Verify::Full => tls::Verify::Full,
            Verify::Ca => tls::Verify::Chain,
            Verify::None => tls::Verify::None,
        };
        let authority = tls.ca.as_ref().map(|ca| self.loaded.folder.join(ca));
        match tls::client(verify, authority.as_deref()) {
            Ok(config) => config,
            Err(error) => {
                let problem = Problem::error(Code::BadValue, error.to_string());
                self.problems.push(problem.at(self.loaded.text.span(path)));
                None
            }
        }
    }

    /// A TLS configuration for HTTP, where plain `http` addresses simply do not use it.
    fn web(&mut self, tls: &Tls, path: &[&str]) -> Arc<ClientConfig> {
        self.tls(tls, path).or_else(|| tls::client(tls::Verify::Full, None).ok().flatten()).unwrap_or_else(
            || {
                let provider = Arc::new(rustls::crypto::ring::default_provider());
                let roots = rustls::RootCertStore::empty();
                let builder =
                    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
                // Trusts nobody: reached only after a problem was reported.
                Arc::new(match builder {
                    Ok(builder) => builder.with_root_certificates(roots).with_no_client_auth(),
                    Err(_) => ClientConfig::builder().with_root_certificates(roots).with_no_client_auth(),
                })
            },
        )
    }

    async fn postgres(&mut self) -> postgres::Settings {
        let mut clusters = BTreeMap::new();
        for (name, cluster) in self.inventory().postgres.clone() {
            let path = ["postgres", name.as_str()];
            let password = self.optional(cluster.password.as_ref(), &[path[0], path[1], "password"]).await;
            let tls = self.tls(&cluster.tls, &[path[0], path[1], "tls"]);
            let members =
                cluster.members.iter().map(|(region, m)| (region.clone(), (m.host.clone(), m.port)));
            let settings = postgres::ClusterSettings {
                database: cluster.database.clone(),
                user: cluster.user.clone(),
                password,
                tls,
                tls_name: cluster.tls.name.clone(),
                timeout: cluster.timeout.as_duration(),
                connect: postgres::CONNECT,
                members: members.collect(),
            };
            clusters.insert(name, settings);
        }
        postgres::Settings { clusters }
    }

    async fn dns(&mut self) -> dns::Settings {
        let mut servers = BTreeMap::new();
        for (name, server) in self.inventory().dns_servers.clone() {
            let inventory::DnsBackend::Powerdns(powerdns) = &server.backend;
            let key = self.secret(&powerdns.key, &["dns_servers", &name, "powerdns", "key"]).await;
            let tls = self.web(&powerdns.tls, &["dns_servers", &name, "powerdns", "tls"]);
            let query = server.query.clone().unwrap_or_else(|| host_of(&powerdns.url));
            let (url, id) = (powerdns.url.clone(), powerdns.server.clone());
            servers.insert(
                name,
                dns::Server {
                    url,
                    key,
                    id,
                    query,
                    timeout: server.timeout.as_duration(),
                    patience: dns_ask::PATIENCE,
                    tls,
                },
            );
        }
        let records = self.inventory().dns_records.iter().map(|(name, record)| {
            let spec = RecordSpec {
                domain: record.name.clone(),
                zone: record.zone().to_string(),
                kind: record.kind.as_str().to_string(),
                ttl: u32::try_from(record.ttl.millis() / 1000).unwrap_or(u32::MAX),
                targets: record.targets.clone(),
            };
            (name.clone(), spec)
        });
        let records = records.collect();
        dns::Settings { servers, records, addresses: Addresses::default() }
    }

    fn http(&mut self) -> http::Settings {
        let mut endpoints = BTreeMap::new();
        for (name, endpoint) in self.inventory().endpoints.clone() {
            let tls = self.web(&endpoint.tls, &["endpoints", &name, "tls"]);
            let members = endpoint.members.iter().map(|(region, address)| {
                let fill = |text: &String| self.in_region(text, region);
                let target = http::Target {
                    address: fill(address),
                    body: endpoint.expect.body.as_ref().map(fill),
                    headers: endpoint
                        .expect
                        .header
                        .iter()
                        .map(|(name, value)| (name.clone(), fill(value)))
                        .collect(),
                };
                (region.clone(), target)
            });
            let members = members.collect();
            let settings = http::Endpoint {
                url: endpoint.url.clone(),
                status: endpoint.expect.status,
                members,
                timeout: endpoint.timeout.as_duration(),
                tls,
            };
            endpoints.insert(name, settings);
        }
        http::Settings { endpoints, addresses: Addresses::default() }
    }

    async fn cache(&mut self) -> cache::Settings {
        let mut caches = BTreeMap::new();
        for (name, cache) in self.inventory().caches.clone() {
            let inventory::CacheBackend::Redis(redis) = &cache.backend;
            let password =
                self.optional(redis.password.as_ref(), &["caches", &name, "redis", "password"]).await;
            let tls = redis.tls.as_ref().and_then(|tls| self.tls(tls, &["caches", &name, "redis", "tls"]));
            let members = cache.members.iter().map(|(region, m)| (region.clone(), (m.host.clone(), m.port)));
            let settings = cache::Redis {
                members: members.collect(),
                user: redis.user.clone(),
                password,
                database: redis.database,
                tls,
                timeout: cache.timeout.as_duration(),
            };
            caches.insert(name, settings);
        }
        cache::Settings { caches, addresses: Addresses::default() }
    }

    async fn notify(&mut self) -> notify::Settings {
        let mut channels = BTreeMap::new();
        for (name, channel) in self.inventory().channels.clone() {
            let (secret, tls, form, key) = match &channel.backend {
                inventory::ChannelBackend::Webhook(webhook) => {
                    (&webhook.url, &webhook.tls, notify::Form::Webhook, "webhook")
                }
                inventory::ChannelBackend::Slack(slack) => {
                    (&slack.webhook, &slack.tls, notify::Form::Slack, "slack")
                }
            };
            let url = self.secret(secret, &["channels", &name, key]).await;
            let tls = self.web(tls, &["channels", &name, key, "tls"]);
            channels.insert(name, notify::Channel { url, form, timeout: channel.timeout.as_duration(), tls });
        }
        let environment = self.inventory().name.clone();
        notify::Settings { channels, environment, addresses: Addresses::default() }
    }

    async fn signals(&mut self, sql: Rc<dyn signal::Sql>) -> signal::Settings {
        let mut signals = BTreeMap::new();
        for (name, entry) in self.inventory().signals.clone() {
            let source = match &entry.backend {
                inventory::SignalBackend::Prometheus(query) => {
                    let Some(server) = self.inventory().metrics_servers.get(&query.server).cloned() else {
                        continue;
                    };
                    let inventory::MetricsBackend::Prometheus(prometheus) = &server.backend;
                    let path = ["metrics_servers", query.server.as_str(), "prometheus"];
                    let login = match (&prometheus.token, &prometheus.user, &prometheus.password) {
                        (Some(token), _, _) => signal::Login::Bearer(self.secret(token, &path).await),
                        (None, Some(user), Some(password)) => {
                            signal::Login::Basic(user.clone(), self.secret(password, &path).await)
                        }
                        _ => signal::Login::None,
                    };
                    let tls = self.web(&prometheus.tls, &path);
                    signal::Source::Prometheus {
                        url: prometheus.url.clone(),
                        login,
                        tls,
                        queries: self.by_region(&query.query),
                    }
                }
                inventory::SignalBackend::Http(http) => {
                    let path = ["signals", name.as_str(), "http"];
                    let login = match &http.token {
                        Some(token) => signal::Login::Bearer(self.secret(token, &path).await),
                        None => signal::Login::None,
                    };
                    let tls = self.web(&http.tls, &path);
                    let urls = self.by_region(&http.url);
                    signal::Source::Http { urls, pointer: http.pointer.clone(), login, tls }
                }
                inventory::SignalBackend::Sql(sql) => {
                    signal::Source::Sql { cluster: sql.cluster.clone(), query: sql.query.clone() }
                }
            };
            signals.insert(name, signal::Signal { source, timeout: entry.timeout.as_duration() });
        }
        signal::Settings { signals, sql, addresses: Addresses::default() }
    }

    /// A text with `${region}` and `${region.fact}` filled in.
    fn in_region(&self, text: &str, region: &str) -> String {
        let mut out = text.replace("${region}", region);
        if let Some(entry) = self.inventory().regions.get(region) {
            for (fact, value) in &entry.facts {
                out = out.replace(&format!("${{region.{fact}}}"), value);
            }
        }
        out
    }

    /// The text for each region; for a call without argument only if it names no region.
    fn by_region(&self, text: &str) -> BTreeMap<String, String> {
        let mut texts: BTreeMap<String, String> = self
            .inventory()
            .regions
            .keys()
            .map(|region| (region.clone(), self.in_region(text, region)))
            .collect();
        if !text.contains("${region") {
            texts.insert(String::new(), text.to_string());
        }
        texts
    }
}

/// The host of an address, without port and path.
fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    match authority.strip_prefix('[') {
        Some(inside) => inside.split(']').next().unwrap_or(inside).to_string(),
        None => authority.split(':').next().unwrap_or(authority).to_string(),
    }
}

/// SHA-256 of texts, hexadecimal.
pub fn sha256<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    use sha2::{Digest, Sha256};
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text.as_bytes());
    }
    hex::encode(hasher.finalize())
}
