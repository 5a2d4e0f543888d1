//! The application of one region: takes orders, and answers "taken" only when its own region's database has committed.

mod metrics;
mod pool;
mod tls;

use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Region;
use super::error::{FileContext, LabError, Result};
use metrics::Metrics;
use pool::{Pool, Problem};

/// What the hidden command `lab app` reads. The file holds a password: it is the application's own, mode 0600.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AppConfig {
    /// The region it serves from.
    pub region: Region,
    /// Port of plain HTTP.
    pub port: u16,
    /// Port of HTTPS.
    pub tls_port: u16,
    /// Certificate for `www.lab.test`.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authority of the database's certificate.
    pub ca: PathBuf,
    /// Port of the region's database.
    pub postgres_port: u16,
    /// Password of the role `app`.
    pub password: String,
}

struct App {
    region: Region,
    pool: Pool,
    metrics: Metrics,
}

/// Serves until it is stopped.
pub async fn serve(config: &Path) -> Result<()> {
    let text = std::fs::read_to_string(config).on("reading", config)?;
    let config: AppConfig =
        serde_json::from_str(&text).map_err(|error| LabError::Service(format!("application: {error}")))?;
    let app = Arc::new(App { region: config.region, pool: Pool::new(&config)?, metrics: Metrics::default() });
    let router = Router::new()
        .route("/healthz", get(health))
        .route("/orders", post(order))
        .route("/metrics-lite", get(numbers))
        .with_state(app);
    let problem =
        |error: std::io::Error| LabError::Service(format!("application of {}: {error}", config.region));
    let address = config.region.address();
    let plain =
        tokio::net::TcpListener::bind(SocketAddrV4::new(address, config.port)).await.map_err(problem)?;
    let secure =
        tokio::net::TcpListener::bind(SocketAddrV4::new(address, config.tls_port)).await.map_err(problem)?;
    let secure = tls::TlsListener::new(secure, super::pki::server_config(&config.certificate, &config.key)?);
    let plain = axum::serve(plain, router.clone());
    let secure = axum::serve(secure, router);
    tokio::try_join!(plain.into_future(), secure.into_future()).map_err(problem)?;
    Ok(())
}

/// 200 when the region's database takes writes, 503 when it does not or nobody knows.
async fn health(State(app): State<Arc<App>>) -> Response {
    let (status, database) = match app.pool.role().await {
        Ok(role) => {
            let writable = role.primary && !role.read_only;
            let status = if writable { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            let name = if role.primary { "primary" } else { "standby" };
            (status, json!({ "role": name, "writable": writable }))
        }
        Err(problem) => {
            let unknown = json!({ "role": "unknown", "writable": null, "reason": problem.to_string() });
            (StatusCode::SERVICE_UNAVAILABLE, unknown)
        }
    };
    answer(&app, status, json!({ "region": app.region, "database": database }))
}

/// An order as a client sends it, in the query.
#[derive(Debug, Deserialize)]
struct Order {
    id: String,
    client: i32,
    seq: i64,
}

/// 200 only after the commit was confirmed. 503 says why, and `outcome: unknown` where the commit may still have happened.
async fn order(State(app): State<Arc<App>>, Query(order): Query<Order>) -> Response {
    let began = Instant::now();
    let done = app.pool.insert(&order.id, order.client, order.seq).await;
    app.metrics.add(began.elapsed(), done.is_ok());
    match done {
        Ok(()) => answer(&app, StatusCode::OK, json!({ "id": order.id, "region": app.region })),
        Err(problem) => {
            let outcome = match &problem {
                Problem::ReadOnly | Problem::Unreachable(_) | Problem::Refused(_) => "not_taken",
                Problem::Timeout | Problem::Broken(_) => "unknown",
            };
            let body = json!({ "reason": problem.to_string(), "outcome": outcome, "region": app.region });
            answer(&app, StatusCode::SERVICE_UNAVAILABLE, body)
        }
    }
}

/// Numbers of the last ten seconds; `null` without requests.
async fn numbers(State(app): State<Arc<App>>) -> Response {
    answer(&app, StatusCode::OK, json!(app.metrics.read()))
}

fn answer(app: &App, status: StatusCode, body: serde_json::Value) -> Response {
    (status, [("x-region", app.region.name())], Json(body)).into_response()
}
