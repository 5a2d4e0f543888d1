//! Messages to people.

use super::fake::{Fake, Reply as Web};
use super::servers::free_port;
use super::{GENEROUS, SHORT, addresses, permit, system_tls};
use mrctl::world::Reply;
use mrctl::world::notify::Notify as _;
use mrctl::world::real::notify::{Channel, Form, RealNotify, Settings};

fn port(url: &str, form: Form) -> RealNotify {
    let channel = Channel {
        url: url.to_owned().into(),
        form,
        timeout: if url.contains("/silent") { SHORT } else { GENEROUS },
        tls: system_tls(),
    };
    let settings = Settings {
        channels: [("ops".to_owned(), channel)].into(),
        environment: "production".into(),
        addresses: addresses(),
    };
    RealNotify::new(settings).unwrap()
}

async fn send(url: &str, form: Form) -> Reply {
    port(url, form).send(&permit(), "ops", "Orders serves from us-east").await
}

#[tokio::test]
async fn a_webhook_gets_text_run_key_and_environment() {
    let server = Fake::start(|_| Web::Text(202, "queued".into())).await;
    let reply = send(&format!("http://{}/hook/s3cret", server.address), Form::Webhook).await;
    assert_eq!(reply, Reply::acknowledged("sent to ops (202 Accepted)"));
    let request = &server.requests()[0];
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let key = "0192f0c1-0000-7000-8000-0123456789ab/shift/www";
    assert!(head.to_ascii_lowercase().contains(&format!("idempotency-key: {key}")), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({"text": "Orders serves from us-east", "run": "0192f0c1-0000-7000-8000-0123456789ab",
            "key": key, "environment": "production"})
    );
}

#[tokio::test]
async fn answers_are_acknowledged_refused_or_lost_and_the_address_is_never_shown() {
    let server = Fake::start(|request| match request {
        r if r.contains("/gone") => Web::Text(410, "channel_is_archived".into()),
        r if r.contains("/slow") => Web::With(429, vec!["Retry-After: 7".into()], "rate_limited".into()),
        r if r.contains("/broken") => Web::Text(502, "bad gateway".into()),
        r if r.contains("/silent") => Web::Never,
        _ => Web::Text(200, "ok".into()),
    })
    .await;
    let base = format!("http://{}", server.address);
    let text = |reply: &Reply| match reply {
        Reply::Acknowledged { note } => format!("done {note}"),
        Reply::Refused { why } => format!("refused {why}"),
        Reply::Lost { why } => format!("lost {why}"),
        Reply::More { .. } => "more".into(),
    };
    for (path, words) in [
        ("/T0/s3cret", "done sent to ops"),
        ("/gone/s3cret", "refused ops did not take it: channel_is_archived (410"),
        ("/slow/s3cret", "try again after 7"),
        ("/broken/s3cret", "lost ops failed: bad gateway (502"),
        ("/silent/s3cret", "lost no answer in time"),
    ] {
        let said = text(&send(&format!("{base}{path}"), Form::Slack).await);
        assert!(said.contains(words), "{said} / {words}");
        assert!(!said.contains("s3cret"), "{said}");
    }
    for url in [
        format!("http://127.0.0.1:{}/s3cret", free_port()),
        "http://s3cret.invalid/".to_owned(),
        "s3cret without scheme".to_owned(),
    ] {
        let said = text(&send(&url, Form::Slack).await);
        assert!(said.starts_with("refused"), "{said}");
        assert!(!said.contains("127.0.0.1") && !said.contains("scheme"), "{said}");
    }
}
