//! Endpoints as users see them, pinned to one region: name and certificate stay the user's, the address is the region's.
//!
//! Every request has a connection of its own, because a pooled one hides failures to connect and to handshake.

use super::addresses::Addresses;
use super::client::{self, excerpt};
use crate::world::http::{Http, Probe};
use crate::world::{Answer, Known, Member};
use std::collections::BTreeMap;
use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much of a body is searched for the expected text.
const BODY: usize = 1 << 20;

/// What the port needs of the inventory.
pub struct Settings {
    /// Endpoints by name.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Where names are looked up.
    pub addresses: Addresses,
}

/// An endpoint.
pub struct Endpoint {
    /// What users ask, such as `https://www.example.com/healthz`.
    pub url: String,
    /// Status that is expected.
    pub status: u16,
    /// What each region is asked and has to answer.
    pub members: BTreeMap<String, Target>,
    /// Limit for one request; 5 s is usual.
    pub timeout: Duration,
    /// For `https`.
    pub tls: Arc<rustls::ClientConfig>,
}

/// One region's side of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// `address` or `address:port`; the URL's port if none is given.
    pub address: String,
    /// Text that the body contains, with `${region}` replaced.
    pub body: Option<String>,
    /// Headers that must have these values.
    pub headers: BTreeMap<String, String>,
}

/// Endpoints asked by HTTP.
pub struct RealHttp {
    endpoints: BTreeMap<String, Endpoint>,
    addresses: Addresses,
}

impl RealHttp {
    /// Makes the port. Nothing is asked yet.
    pub fn new(settings: Settings) -> Self {
        Self { endpoints: settings.endpoints, addresses: settings.addresses }
    }

    async fn ask(&self, at: &Member) -> Probe {
        let Some(endpoint) = self.endpoints.get(&at.resource) else {
            return nothing(format!("no endpoint `{}` in the inventory", at.resource));
        };
        let Some(target) = endpoint.members.get(&at.region) else {
            return nothing(format!("{} has no address in {}", at.resource, at.region));
        };
        let pinned = match self.pin(endpoint, target).await {
            Ok(pinned) => pinned,
            Err(why) => return nothing(why),
        };
        pinned.ask(target).await
    }

    async fn pin(&self, endpoint: &Endpoint, target: &Target) -> Result<Pinned, String> {
        let url = reqwest::Url::parse(&endpoint.url)
            .map_err(|error| format!("the address cannot be read: {error}"))?;
        let port = url.port_or_known_default().ok_or("the address has no port")?;
        let found =
            self.addresses.lookup_text(&target.address, port).await.map_err(|error| error.to_string())?;
        let address = *found.first().ok_or_else(|| format!("no address for {}", target.address))?;
        Pinned::new(url, address, endpoint)
    }
}

/// A client for one request to one address.
struct Pinned {
    client: reqwest::Client,
    url: reqwest::Url,
    host: String,
    address: SocketAddr,
    secure: bool,
}

impl Pinned {
    fn new(mut url: reqwest::Url, address: SocketAddr, endpoint: &Endpoint) -> Result<Self, String> {
        let name = url.host_str().ok_or("the address has no host")?.to_owned();
        let literal = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let secure = url.scheme() == "https";
        let host = url.port().map_or_else(|| name.clone(), |port| format!("{name}:{port}"));
        let mut builder = client::builder(&endpoint.tls, &Addresses::default(), endpoint.timeout)
            .pool_max_idle_per_host(0)
            .tls_info(true);
        // A port in the URL wins over the pinned one (reqwest, `dns/resolve.rs`), and a literal address is never looked up: so the
        // URL carries the region's port or address, and the Host header what users send.
        match literal {
            Some(own) if own != address.ip() => {
                if secure {
                    return Err("an https address without a name cannot be asked in another place".into());
                }
                url.set_ip_host(address.ip()).map_err(|()| "the address cannot be pinned")?;
            }
            Some(_) => {}
            None => builder = builder.resolve(&name, address),
        }
        url.set_port(Some(address.port())).map_err(|()| "the port cannot be pinned")?;
        let client = builder.build().map_err(|error| client::reason(&error.without_url()))?;
        Ok(Self { client, url, host, address, secure })
    }

    async fn ask(&self, target: &Target) -> Probe {
        let begun = Instant::now();
        let sent = self.client.get(self.url.clone()).header(reqwest::header::HOST, &self.host).send().await;
        let response = match sent {
            Ok(response) => response,
            Err(error) => return self.failed(&error.without_url()),
        };
        let status = response.status().as_u16();
        let missing = target.headers.iter().find(|(name, value)| {
            response.headers().get(name.as_str()).and_then(|found| found.to_str().ok())
                != Some(value.as_str())
        });
        let mut trouble = match missing {
            Some((name, value)) => {
                match response.headers().get(name.as_str()).and_then(|found| found.to_str().ok()) {
                    Some(found) => format!("header {name} is `{}`, not `{value}`", excerpt(found)),
                    None => format!("header {name} is absent"),
                }
            }
            None => String::new(),
        };
        let headers_match = missing.is_none();
        let certificate_days = certificate_days(&response);
        let body = client::body(response, BODY).await;
        let latency_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (body, latency_us) = match body {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let text_matches = target.body.as_ref().is_none_or(|wanted| text.contains(wanted.as_str()));
                if !text_matches && trouble.is_empty() {
                    let wanted = target.body.as_deref().unwrap_or_default();
                    trouble = format!("the body does not contain `{}`", excerpt(wanted));
                }
                (Known::Known(headers_match && text_matches), Known::Known(latency_us))
            }
            Err(lost) => {
                trouble = lost.why().to_owned();
                (Known::unknown(lost.why()), Known::unknown(lost.why()))
            }
        };
        Probe {
            address: Known::Known(self.address.to_string()),
            connected: Known::Known(true),
            tls: Known::Known(true),
            status: Known::Known(status),
            body,
            latency_us,
            certificate_days,
            trouble,
        }
    }

    /// At which stage it failed. A refusal is a fact, silence is not.
    fn failed(&self, error: &reqwest::Error) -> Probe {
        let reason = tls_reason(error);
        let why = reason.clone().unwrap_or_else(|| client::reason(error));
        let (connected, tls) = match &reason {
            Some(_) => (Known::Known(true), Known::Known(false)),
            None if error.is_connect() && !error.is_timeout() => {
                (Known::Known(false), Known::unknown("no connection"))
            }
            None if error.is_connect() => (Known::unknown(&why), Known::unknown(&why)),
            None => (Known::unknown(&why), Known::unknown(&why)),
        };
        let tls = if self.secure { tls } else { Known::Known(true) };
        Probe {
            address: Known::Known(self.address.to_string()),
            connected,
            tls,
            status: Known::unknown(&why),
            body: Known::unknown(&why),
            latency_us: Known::unknown(&why),
            certificate_days: Known::unknown(&why),
            trouble: why,
        }
    }
}

/// Whole days until the server's own certificate ends.
#[expect(clippy::disallowed_methods, reason = "certificates end by the wall clock")]
fn certificate_days(response: &reqwest::Response) -> Known<i64> {
    use x509_cert::der::Decode as _;
    let info = response.extensions().get::<reqwest::tls::TlsInfo>();
    let Some(der) = info.and_then(reqwest::tls::TlsInfo::peer_certificate) else {
        return Known::unknown("there is no certificate");
    };
    let ends = match x509_cert::Certificate::from_der(der) {
        Ok(certificate) => certificate.tbs_certificate.validity.not_after.to_unix_duration(),
        Err(error) => return Known::unknown(format!("the certificate cannot be read: {error}")),
    };
    let Ok(now) = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) else {
        return Known::unknown("the clock stands before 1970");
    };
    // Verified a moment ago, so it has not ended: never negative.
    let days = ends.saturating_sub(now).as_secs() / 86_400;
    Known::Known(i64::try_from(days).unwrap_or(i64::MAX))
}

/// What the handshake stumbled over, if it was the handshake.
fn tls_reason(error: &reqwest::Error) -> Option<String> {
    error.source().and_then(tls_error).map(tls_words)
}

/// An I/O error shows the source of what it wraps, but not what it wraps: both are looked into.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let wrapped = || {
        let inner = error.downcast_ref::<std::io::Error>()?.get_ref()?;
        tls_error(inner as &'a (dyn std::error::Error + 'static))
    };
    error.downcast_ref().or_else(wrapped).or_else(|| error.source().and_then(tls_error))
}

fn tls_words(error: &rustls::Error) -> String {
    use rustls::CertificateError as C;
    match error {
        rustls::Error::InvalidCertificate(problem) => match problem {
            C::Expired | C::ExpiredContext { .. } => "the certificate has expired".into(),
            C::NotValidYet | C::NotValidYetContext { .. } => "the certificate is not valid yet".into(),
            C::NotValidForName | C::NotValidForNameContext { .. } => {
                "the certificate is for another name".into()
            }
            C::UnknownIssuer => "the certificate's issuer is not trusted".into(),
            C::BadSignature => "the certificate is not signed by the issuer that it names".into(),
            C::Revoked => "the certificate was revoked".into(),
            other => format!("the certificate is not valid: {other}"),
        },
        other => format!("the TLS handshake failed: {other}"),
    }
}

/// Nothing was asked.
fn nothing(why: String) -> Probe {
    Probe {
        address: Known::unknown(&why),
        connected: Known::unknown(&why),
        tls: Known::unknown(&why),
        status: Known::unknown(&why),
        body: Known::unknown(&why),
        latency_us: Known::unknown(&why),
        certificate_days: Known::unknown(&why),
        trouble: why,
    }
}

impl Http for RealHttp {
    fn probe<'a>(&'a self, endpoint: &'a Member) -> Answer<'a, Probe> {
        Box::pin(self.ask(endpoint))
    }

    fn expected_status(&self, endpoint: &str) -> u16 {
        self.endpoints.get(endpoint).map_or(200, |endpoint| endpoint.status)
    }
}
