//! Numbers for conditions.

use super::fake::{Fake, Reply as Web};
use super::{GENEROUS, SHORT, addresses, system_tls};
use mrctl::world::Known;
use mrctl::world::real::signal::{Login, NoSql, RealSignals, Settings, Signal, Source};
use mrctl::world::signal::{SignalCall, Signals as _};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

fn port(source: Source) -> RealSignals {
    patient(GENEROUS, source)
}

fn patient(timeout: Duration, source: Source) -> RealSignals {
    let signal = Signal { source, timeout };
    let settings = Settings {
        signals: [("error_rate".to_owned(), signal)].into(),
        sql: Rc::new(NoSql),
        addresses: addresses(),
    };
    RealSignals::new(settings).unwrap()
}

fn call(of: &str) -> SignalCall {
    SignalCall { name: "error_rate".into(), of: of.into() }
}

fn by_region(text: &str) -> BTreeMap<String, String> {
    [("us-east".to_owned(), text.to_owned())].into()
}

#[tokio::test]
async fn prometheus_is_asked_by_post_and_signed() {
    let now = jiff::Timestamp::now().as_second();
    let server = Fake::start(move |_| {
        let body = format!(
            r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[{now},"0.015"]}}]}}}}"#
        );
        Web::Text(200, body)
    })
    .await;
    let signals = port(Source::Prometheus {
        url: format!("http://{}/", server.address),
        login: Login::Bearer("t0ken".to_owned().into()),
        tls: system_tls(),
        queries: by_region("sum(rate(errors{region=\"us-east\"}[1m]))"),
    });
    assert_eq!(signals.sample(&call("us-east")).await, Known::Known(0.015));
    let request = &server.requests()[0];
    assert!(request.starts_with("POST /api/v1/query HTTP/1.1"), "{request}");
    assert!(request.to_ascii_lowercase().contains("authorization: bearer t0ken"), "{request}");
    assert!(
        request.contains("query=sum%28rate%28errors%7Bregion%3D%22us-east%22%7D%5B1m%5D%29%29&timeout=30s")
    );
    assert_eq!(signals.sample(&call("mars")).await.why(), Some("error_rate is not known for mars"));
    assert_eq!(signals.sample(&call("")).await.why(), Some("error_rate needs a region"));
}

#[tokio::test]
async fn silence_and_text_that_is_no_json_are_unknown() {
    let server = Fake::start(|request| match request {
        r if r.starts_with("GET /lag") => Web::Text(200, r#"{"data": {"lag": 2.5}}"#.into()),
        r if r.starts_with("GET /silent") => Web::Never,
        r if r.starts_with("GET /html") => Web::Text(200, "<html>login</html>".into()),
        _ => Web::Text(404, "{}".into()),
    })
    .await;
    let get = |path: &str| {
        let timeout = if path == "/silent" { SHORT } else { GENEROUS };
        let signals = patient(
            timeout,
            Source::Http {
                urls: by_region(&format!("http://{}{path}", server.address)),
                pointer: "/data/lag".into(),
                login: Login::None,
                tls: system_tls(),
            },
        );
        async move { signals.sample(&call("us-east")).await }
    };
    assert_eq!(get("/lag").await, Known::Known(2.5));
    assert_eq!(get("/silent").await.why(), Some("no answer in time"));
    assert!(get("/html").await.why().unwrap().contains("no JSON"));
    assert_eq!(get("/absent").await.why(), Some("status 404"));
}
