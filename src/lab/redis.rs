//! One Redis per region, independent of each other; the first region's holds sessions worth warming.

use secrecy::ExposeSecret;

use super::error::{LabError, Result};
use super::secrets::Secret;
use super::{Lab, Region, process};

/// Sessions in the first region's cache.
pub const SESSIONS: u32 = 2_000;

/// The name of the process in `lab.json`.
pub(crate) fn process_name(region: Region) -> String {
    format!("redis {region}")
}

/// Makes the server's folder and configuration.
pub(crate) fn create(lab: &Lab, region: Region) -> Result<()> {
    let folder = lab.layout.redis(region);
    lab.account.folder(&folder)?;
    let password = lab.secrets().read(Secret::Redis)?;
    let conf = format!(
        "bind {address}\n\
         port {port}\n\
         dir \"{folder}\"\n\
         requirepass {password}\n\
         save \"\"\n\
         appendonly no\n\
         daemonize no\n\
         maxmemory 64mb\n\
         maxmemory-policy allkeys-lfu\n",
        address = region.address(),
        port = lab.ports().redis,
        folder = folder.display(),
        password = password.expose_secret(),
    );
    lab.account.file(&folder.join("redis.conf"), &conf)
}

/// Starts the server and waits until it answers.
pub(crate) async fn start(lab: &Lab, region: Region) -> Result<()> {
    let mut command = process::command(&lab.programs.redis);
    command.arg(lab.layout.redis(region).join("redis.conf"));
    lab.start(&process_name(region), command, || async {
        let mut connection = lab.redis(region).await.map_err(|error| error.to_string())?;
        redis::cmd("PING")
            .query_async::<String>(&mut connection)
            .await
            .map(|_| ())
            .map_err(|error| error.to_string())
    })
    .await
}

/// Puts the sessions into the first region's cache, with an hour to live.
pub(crate) async fn fill(lab: &Lab) -> Result<()> {
    let region = Region::EuWest;
    let mut connection = lab.redis(region).await?;
    let mut pipe = redis::pipe();
    for number in 0..SESSIONS {
        pipe.cmd("SET")
            .arg(format!("session:{number:05}"))
            .arg(format!("{{\"user\":{number},\"cart\":[]}}"))
            .arg("EX")
            .arg(3_600)
            .ignore();
    }
    pipe.query_async::<()>(&mut connection).await.map_err(|error| problem(region, &error))
}

fn problem(region: Region, error: &redis::RedisError) -> LabError {
    LabError::Service(format!("redis of {region}: {error}"))
}

impl Lab {
    /// A connection to the Redis of a region.
    pub async fn redis(&self, region: Region) -> Result<redis::aio::MultiplexedConnection> {
        let password = self.secrets().read(Secret::Redis)?;
        let url =
            format!("redis://:{}@{}:{}/0", password.expose_secret(), region.address(), self.ports().redis);
        let client = redis::Client::open(url).map_err(|error| problem(region, &error))?;
        client.get_multiplexed_async_connection().await.map_err(|error| problem(region, &error))
    }
}
