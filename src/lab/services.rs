//! The lab's own programs: an application per region and the receiver of notifications.

use secrecy::ExposeSecret;

use super::account::{Account, write_file};
use super::app::AppConfig;
use super::error::{FileContext, LabError, Result};
use super::pki::IssueOptions;
use super::receiver::ReceiverConfig;
use super::secrets::Secret;
use super::{Lab, Region, process};

/// The name of the receiver in `lab.json`.
pub(crate) const RECEIVER: &str = "receiver";

/// The name of the application's process in `lab.json`.
pub(crate) fn app_process(region: Region) -> String {
    format!("app {region}")
}

/// Makes the application's folder: configuration, certificate for `www.lab.test` and its address.
pub(crate) fn create_app(lab: &Lab, region: Region) -> Result<()> {
    let folder = lab.layout.app(region);
    lab.account.folder(&folder)?;
    let issued = lab.pki().issue(&IssueOptions {
        names: vec!["www.lab.test".into(), region.address().to_string()],
        expired: false,
    })?;
    let config = AppConfig {
        region,
        port: lab.ports().app,
        tls_port: lab.ports().app_tls,
        certificate: folder.join("server.pem"),
        key: folder.join("server.key"),
        ca: lab.pki().ca(),
        postgres_port: lab.ports().postgres,
        password: lab.secrets().read(Secret::App)?.expose_secret().to_owned(),
    };
    lab.account.file(&config.certificate, &issued.certificate)?;
    lab.account.file(&config.key, &issued.key)?;
    lab.account.file(&folder.join("app.json"), &text_of(&config)?)
}

/// Starts the application and waits until it answers, whatever it says of its database.
pub(crate) async fn start_app(lab: &Lab, region: Region) -> Result<()> {
    let config = lab.layout.app(region).join("app.json");
    let address = std::net::SocketAddrV4::new(region.address(), lab.ports().app_tls);
    start(lab, &app_process(region), "app", &config, address).await
}

/// Makes the receiver's folder, and the secret with its address.
pub(crate) fn create_receiver(lab: &Lab) -> Result<()> {
    let folder = lab.layout.receiver();
    lab.account.folder(&folder)?;
    let port = lab.ports().receiver;
    let config = ReceiverConfig { port, app_port: lab.ports().app, file: lab.layout.notifications() };
    lab.account.file(&folder.join("receiver.json"), &text_of(&config)?)?;
    write_file(&lab.layout.secrets().join("receiver-url"), &format!("http://127.0.0.1:{port}/ops"), 0o600)
}

/// Starts the receiver.
pub(crate) async fn start_receiver(lab: &Lab) -> Result<()> {
    let config = lab.layout.receiver().join("receiver.json");
    let address = std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, lab.ports().receiver);
    start(lab, RECEIVER, "receiver", &config, address).await
}

async fn start(
    lab: &Lab,
    name: &str,
    subcommand: &str,
    config: &std::path::Path,
    address: std::net::SocketAddrV4,
) -> Result<()> {
    let program = &lab.program;
    let mut command = process::command(program);
    command.args(["lab", subcommand, "--config"]).arg(config);
    // Our own program may lie where the servers' account cannot go (a home folder): then it keeps our identity.
    let account = if lab.account.can_execute(program) { lab.account } else { Account::caller() };
    lab.start_as(name, command, account, || async {
        tokio::net::TcpStream::connect(address).await.map(|_| ()).map_err(|error| error.to_string())
    })
    .await
}

fn text_of(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string_pretty(value).map_err(|error| LabError::Service(error.to_string()))
}

impl Lab {
    /// What the receiver got so far, oldest first: `{at, path, idempotency_key, body}`.
    pub fn notifications(&self) -> Result<Vec<serde_json::Value>> {
        let path = self.layout.notifications();
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            other => other.on("reading", &path)?,
        };
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Base address of a region's application, plain HTTP.
    pub fn app_url(&self, region: Region) -> String {
        format!("http://{}:{}", region.address(), self.ports().app)
    }
}
