//! What stands outside both regions: receives notifications, and answers for the numbers of either region, as a central
//! metrics server would.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{self, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Region;
use super::error::{FileContext, LabError, Result};

/// What the hidden command `lab receiver` reads.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReceiverConfig {
    /// Port on 127.0.0.1.
    pub port: u16,
    /// Port of the applications, plain HTTP.
    pub app_port: u16,
    /// The file to append to.
    pub file: PathBuf,
}

/// Serves until it is stopped.
pub async fn serve(config: &Path) -> Result<()> {
    let text = std::fs::read_to_string(config).on("reading", config)?;
    let config: ReceiverConfig =
        serde_json::from_str(&text).map_err(|error| LabError::Service(format!("receiver: {error}")))?;
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&config.file)
        .on("opening", &config.file)?;
    // reqwest asks for the process's provider even for plain HTTP; an error only says that it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(2))
        .build()
        .map_err(|error| LabError::Service(format!("receiver: {error}")))?;
    let numbers = Numbers { client, app_port: config.app_port };
    let router = Router::new()
        .route("/metrics/{region}", get(metrics).with_state(numbers))
        .fallback(receive)
        .with_state(Arc::new(Mutex::new(file)));
    let problem = |error: std::io::Error| LabError::Service(format!("receiver: {error}"));
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, config.port);
    let listener = tokio::net::TcpListener::bind(address).await.map_err(problem)?;
    axum::serve(listener, router).await.map_err(problem)
}

#[derive(Clone)]
struct Numbers {
    client: reqwest::Client,
    app_port: u16,
}

/// The numbers of a region's application; 502 when it does not answer, which is not the same as no errors.
async fn metrics(
    State(numbers): State<Numbers>,
    extract::Path(region): extract::Path<String>,
) -> (StatusCode, Json<Value>) {
    let Ok(region) = region.parse::<Region>() else {
        return (StatusCode::NOT_FOUND, Json(json!({ "error": "no such region" })));
    };
    let url = format!("http://{}:{}/metrics-lite", region.address(), numbers.app_port);
    let answer = async { numbers.client.get(url).send().await?.error_for_status()?.json::<Value>().await };
    match answer.await {
        Ok(value) => (StatusCode::OK, Json(value)),
        Err(error) => (StatusCode::BAD_GATEWAY, Json(json!({ "error": error.to_string() }))),
    }
}

async fn receive(
    State(file): State<Arc<Mutex<std::fs::File>>>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, &'static str) {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let content = serde_json::from_str(&body).unwrap_or(Value::String(body));
    let line = json!({
        "at": jiff::Timestamp::now().to_string(),
        "path": uri.path(),
        "idempotency_key": header("idempotency-key"),
        "body": content,
    });
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    match file.write_all(format!("{line}\n").as_bytes()) {
        Ok(()) => (StatusCode::OK, "ok"),
        Err(_) => (StatusCode::INSUFFICIENT_STORAGE, "not written"),
    }
}
