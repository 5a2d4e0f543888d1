//! Receives notifications and writes each to a file, one JSON value a line.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::{FileContext, LabError, Result};

/// What the hidden command `lab receiver` reads.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReceiverConfig {
    /// Port on 127.0.0.1.
    pub port: u16,
    /// The file to append to.
    pub file: PathBuf,
}

/// Serves until it is stopped.
pub async fn serve(config: &Path) -> Result<()> {
    let text = std::fs::read_to_string(config).on("reading", config)?;
    let config: ReceiverConfig =
        serde_json::from_str(&text).map_err(|error| LabError::Service(format!("receiver: {error}")))?;
    let file = std::fs::OpenOptions::new().create(true).append(true).open(&config.file).on("opening", &config.file)?;
    let router = Router::new().fallback(receive).with_state(Arc::new(Mutex::new(file)));
    let problem = |error: std::io::Error| LabError::Service(format!("receiver: {error}"));
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, config.port);
    let listener = tokio::net::TcpListener::bind(address).await.map_err(problem)?;
    axum::serve(listener, router).await.map_err(problem)
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
