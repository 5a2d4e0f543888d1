//! Endpoints pinned to a region: every stage that can fail, and what users would send.

use super::fake::{Fake, Reply as Web};
use super::servers::free_port;
use super::{GENEROUS, SHORT, addresses, system_tls};
use mrctl::world::http::{Http, Probe};
use mrctl::world::real::http::{Endpoint, RealHttp, Settings, Target};
use mrctl::world::real::tls::{self, Verify};
use mrctl::world::{Known, Member};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

fn port(url: &str, target: Target, tls: Arc<rustls::ClientConfig>, timeout: Duration) -> RealHttp {
    let endpoint = Endpoint {
        url: url.to_owned(),
        status: 200,
        members: [("us-east".to_owned(), target)].into(),
        timeout,
        tls,
    };
    RealHttp::new(Settings { endpoints: [("shop".to_owned(), endpoint)].into(), addresses: addresses() })
}

fn at_address(address: impl ToString) -> Target {
    Target { address: address.to_string(), ..Target::default() }
}

async fn probe(url: &str, target: Target, tls: Arc<rustls::ClientConfig>) -> Probe {
    port(url, target, tls, GENEROUS).probe(&Member::new("shop", "us-east")).await
}

/// The same of a server that is expected to say nothing.
async fn probe_silence(url: &str, target: Target, tls: Arc<rustls::ClientConfig>) -> Probe {
    port(url, target, tls, SHORT).probe(&Member::new("shop", "us-east")).await
}

/// An authority, what trusts it, and a server's configuration with a certificate of it.
struct Pki {
    folder: tempfile::TempDir,
    key: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Pki {
    fn new(name: &str) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { folder, key: rcgen::Issuer::new(params, key) }
    }

    fn client(&self) -> Arc<rustls::ClientConfig> {
        tls::client(Verify::Full, Some(&self.folder.path().join("ca.pem"))).unwrap().unwrap()
    }

    fn server(&self, name: &str, expired: bool) -> Arc<rustls::ServerConfig> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        }
        let certificate = params.signed_by(&key, &self.key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        Arc::new(config)
    }
}

fn fine(_: &str) -> Web {
    Web::With(200, vec!["X-Region: us-east".into()], "all is well in us-east".into())
}

#[tokio::test]
async fn name_and_certificate_stay_the_users_while_the_address_is_the_regions() {
    let pki = Pki::new("ours");
    let server = Fake::start_tls(pki.server("www.example.com", false), fine).await;
    let target = Target {
        address: server.address.to_string(),
        body: Some("well in us-east".into()),
        headers: [("x-region".to_owned(), "us-east".to_owned())].into(),
    };
    let seen = probe("https://www.example.com/healthz?a=1", target, pki.client()).await;
    assert!(seen.passed(200), "{seen:?}");
    assert_eq!(seen.address, Known::Known(server.address.to_string()));
    let request = &server.requests()[0];
    assert!(request.starts_with("GET /healthz?a=1 HTTP/1.1"), "{request}");
    assert!(request.to_ascii_lowercase().contains("\r\nhost: www.example.com\r\n"), "{request}");
}

#[tokio::test]
async fn a_port_in_the_url_does_not_win_over_the_regions() {
    let server = Fake::start(fine).await;
    let seen = probe("http://www.example.com:8443/", at_address(server.address), system_tls()).await;
    assert!(seen.passed(200), "{seen:?}");
    assert!(server.requests()[0].to_ascii_lowercase().contains("\r\nhost: www.example.com:8443\r\n"));
    let seen = probe("http://192.0.2.1/", at_address(server.address), system_tls()).await;
    assert!(seen.passed(200), "a literal address is pinned too: {seen:?}");
    assert!(server.requests()[1].to_ascii_lowercase().contains("\r\nhost: 192.0.2.1\r\n"));
}

#[tokio::test]
async fn every_fault_of_a_certificate_is_a_finding_of_its_own() {
    let (pki, stranger, impostor) = (Pki::new("ours"), Pki::new("theirs"), Pki::new("ours"));
    for (config, words) in [
        (pki.server("other.example.com", false), "for another name"),
        (pki.server("www.example.com", true), "has expired"),
        (stranger.server("www.example.com", false), "issuer is not trusted"),
        (impostor.server("www.example.com", false), "not signed by the issuer"),
    ] {
        let server = Fake::start_tls(config, fine).await;
        let seen = probe("https://www.example.com/", at_address(server.address), pki.client()).await;
        assert_eq!((&seen.connected, &seen.tls), (&Known::Known(true), &Known::Known(false)), "{seen:?}");
        assert!(seen.trouble.contains(words), "{seen:?}");
        assert!(seen.status.why().is_some() && !seen.passed(200));
    }
    let plain = Fake::start(fine).await;
    let seen = probe_silence("https://www.example.com/", at_address(plain.address), pki.client()).await;
    assert_eq!(seen.tls.get(), None, "it waits for more of the handshake: {seen:?}");
}

#[tokio::test]
async fn a_closed_port_is_a_fact_and_silence_is_not() {
    let closed =
        probe("http://www.example.com/", at_address(format!("127.0.0.1:{}", free_port())), system_tls())
            .await;
    assert_eq!(closed.connected, Known::Known(false), "{closed:?}");
    let silent = Fake::start(|_| Web::Never).await;
    let seen = probe_silence("http://www.example.com/", at_address(silent.address), system_tls()).await;
    assert!(seen.connected.why().is_some() && seen.status.why().is_some(), "{seen:?}");
    assert_eq!(seen.trouble, "no answer in time");
}

#[tokio::test]
async fn status_header_and_body_are_told_apart_and_redirects_are_not_followed() {
    let server = Fake::start(|request| match request {
        r if r.starts_with("GET /busy") => Web::Text(503, "busy".into()),
        r if r.starts_with("GET /moved") => Web::With(302, vec!["Location: /".into()], String::new()),
        r => fine(r),
    })
    .await;
    let address = server.address;
    let get = |path: &str, headers: BTreeMap<String, String>, body: Option<&str>| {
        let target = Target { address: address.to_string(), body: body.map(str::to_owned), headers };
        let url = format!("http://www.example.com{path}");
        async move { probe(&url, target, system_tls()).await }
    };
    let none = BTreeMap::new;
    assert_eq!(get("/busy", none(), None).await.status, Known::Known(503));
    assert_eq!(get("/moved", none(), None).await.status, Known::Known(302));
    let seen = get("/", [("x-region".to_owned(), "eu-west".to_owned())].into(), None).await;
    assert_eq!(seen.body, Known::Known(false));
    assert_eq!(seen.trouble, "header x-region is `us-east`, not `eu-west`");
    let seen = get("/", none(), Some("eu-west")).await;
    assert_eq!(
        (seen.body, seen.trouble.as_str()),
        (Known::Known(false), "the body does not contain `eu-west`")
    );
    assert!(seen.latency_us.is(|us| *us > 0));
}
