//! Who answers is proved by certificate, or nothing is sent.

use crate::support::pg::{PATIENCE, Pair, Wishes};
use crate::support::world::{RUN, Reach, reach, source};
use mrctl::world::Known;
use mrctl::world::postgres::{Postgres, Scope};
use mrctl::world::real::signal::Sql as _;
use mrctl::world::real::tls::{Verify, client};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use std::path::PathBuf;

/// A certificate authority of this test alone.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: tempfile::NamedTempFile,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::default()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), issuer.pem()).unwrap();
        Self { issuer, file }
    }

    /// Certificate and key for names, until the end of a year.
    fn issue(&self, names: &[&str], until: i32) -> (String, String) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 12, 31);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn path(&self) -> PathBuf {
        self.file.path().to_path_buf()
    }
}

/// What a look says: `ok`, or why not.
async fn look(pair: &Pair, authority: Option<&Authority>, verify: Verify, name: Option<&str>) -> String {
    let tls = client(verify, authority.map(Authority::path).as_deref()).unwrap();
    let port = reach(pair, Reach { tls, tls_name: name.map(Into::into), ..Reach::default() });
    match port.look(&source(), &Scope { keep: vec![], run: RUN.into() }).await {
        Known::Known(_) => "ok".into(),
        Known::Unknown(why) => why,
    }
}

#[tokio::test]
async fn a_certificate_for_the_address_is_accepted_and_everything_else_refused() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let tls = Some(authority.issue(&["127.0.0.1"], 2099));
    let pair = Pair::with(Wishes { tls, ..Wishes::default() }).await;
    assert_eq!(look(&pair, Some(&authority), Verify::Full, None).await, "ok");
    assert_eq!(look(&pair, Some(&authority), Verify::Chain, None).await, "ok");
    for verify in [Verify::Full, Verify::Chain] {
        let why = look(&pair, Some(&stranger), verify, None).await;
        assert!(why.contains("UnknownIssuer") || why.contains("BadSignature"), "{why}");
    }
    let plain = look(&pair, None, Verify::None, None).await;
    assert!(plain.contains("no encryption"), "{plain}");
    // A deadline cancels over TLS too: the cancel request verifies like the connection.
    let tls = client(Verify::Full, Some(&authority.path())).unwrap();
    let port = reach(&pair, Reach { tls, ..Reach::default() });
    // A number is asked over the same TLS.
    let encrypted = "SELECT count(*) FROM pg_stat_ssl WHERE ssl AND pid = pg_backend_pid()";
    let number = port.number("orders", "eu-west", encrypted, PATIENCE).await;
    assert_eq!(number, Known::Known(1.0));
    let tls = client(Verify::Full, Some(&stranger.path())).unwrap();
    let misled = reach(&pair, Reach { tls, ..Reach::default() });
    assert!(misled.number("orders", "eu-west", "SELECT 1", PATIENCE).await.why().is_some());
    pair.primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'ghost'; SELECT pg_reload_conf()").await;
    let reply = port.write_probe(&crate::support::world::permit("write", 1), &source(), "mrctl.probe").await;
    assert!(format!("{reply:?}").contains("synchronous standby"), "{reply:?}");
    crate::support::pg::until("the hanging commit is cancelled", || async {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        (pair.primary.sql(sql).await == "0").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_unless_that_name_is_expected() {
    let authority = Authority::new();
    let tls = Some(authority.issue(&["pg.eu.example.com"], 2099));
    let pair = Pair::with(Wishes { tls, ..Wishes::default() }).await;
    let why = look(&pair, Some(&authority), Verify::Full, None).await;
    assert!(why.contains("not valid for name"), "{why}");
    assert_eq!(look(&pair, Some(&authority), Verify::Full, Some("pg.eu.example.com")).await, "ok");
    assert_eq!(look(&pair, Some(&authority), Verify::Chain, None).await, "ok");
}

#[tokio::test]
async fn an_expired_certificate_is_refused_by_chain_and_by_name() {
    let authority = Authority::new();
    let tls = Some(authority.issue(&["127.0.0.1"], 2021));
    let pair = Pair::with(Wishes { tls, ..Wishes::default() }).await;
    for verify in [Verify::Full, Verify::Chain] {
        let why = look(&pair, Some(&authority), verify, None).await;
        assert!(why.contains("expired"), "{why}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_expected() {
    let authority = Authority::new();
    let pair = Pair::start().await;
    let why = look(&pair, Some(&authority), Verify::Full, None).await;
    assert!(why.contains("does not support TLS"), "{why}");
}
