//! One PowerDNS authoritative server per region, each with its own copy of the zone, as with two providers.

use secrecy::ExposeSecret;

use super::error::{FileContext, Result};
use super::packages::PDNS_SCHEMA;
use super::secrets::Secret;
use super::{Lab, Region, process, resolve};

/// The zone, with its dot.
pub const ZONE: &str = "lab.test.";
/// The record that steers users, with its dot.
pub const RECORD: &str = "www.lab.test.";
/// Its time to live, in seconds: short, so that a demonstration is short.
pub const TTL: u32 = 5;

/// The name of the process in `lab.json`.
pub(crate) fn process_name(region: Region) -> String {
    format!("pdns {region}")
}

/// Makes the server's folder: configuration, empty database, zone.
pub(crate) async fn create(lab: &Lab, region: Region) -> Result<()> {
    let folder = lab.layout.pdns(region);
    lab.account.folder(&folder)?;
    let key = lab.secrets().read(Secret::DnsKey)?;
    let ports = lab.ports();
    let conf = format!(
        "launch=gsqlite3\n\
         gsqlite3-database={folder}/zones.sqlite3\n\
         gsqlite3-pragma-synchronous=0\n\
         local-address={address}\n\
         local-port={dns}\n\
         api=yes\n\
         api-key={key}\n\
         webserver=yes\n\
         webserver-address={address}\n\
         webserver-port={api}\n\
         webserver-allow-from=127.0.0.0/8\n\
         enable-lua-records=yes\n\
         daemon=no\n\
         guardian=no\n\
         disable-syslog=yes\n\
         write-pid=no\n\
         socket-dir={folder}\n\
         security-poll-suffix=\n\
         receiver-threads=1\n\
         distributor-threads=1\n\
         cache-ttl=0\n\
         query-cache-ttl=0\n\
         negquery-cache-ttl=0\n\
         zone-cache-refresh-interval=0\n",
        folder = folder.display(),
        address = region.address(),
        dns = ports.dns,
        key = key.expose_secret(),
        api = ports.dns_api,
    );
    lab.account.file(&folder.join("pdns.conf"), &conf)?;
    let schema_file = std::path::Path::new(PDNS_SCHEMA);
    let schema = std::fs::read_to_string(schema_file).on("reading", schema_file)?;
    lab.account.file(&folder.join("zone.sql"), &format!("{schema}\n{}", zone()))?;
    let mut sqlite = process::command(&lab.programs.sqlite);
    sqlite
        .arg("-batch")
        .arg(folder.join("zones.sqlite3"))
        .arg(format!(".read '{}'", folder.join("zone.sql").display()));
    process::run(sqlite, lab.account).await.map(|_| ())
}

/// The zone as rows of PowerDNS's generic schema: names without the last dot.
fn zone() -> String {
    let address = Region::EuWest.address();
    let mut sql = String::from(
        "BEGIN;\n\
         INSERT INTO domains (id, name, type) VALUES (1, 'lab.test', 'NATIVE');\n\
         INSERT INTO records (domain_id, name, type, content, ttl, auth) VALUES\n\
         (1, 'lab.test', 'SOA', 'ns1.lab.test hostmaster.lab.test 1 3600 600 86400 5', 60, 1),\n\
         (1, 'lab.test', 'NS', 'ns1.lab.test', 60, 1),\n\
         (1, 'lab.test', 'NS', 'ns2.lab.test', 60, 1),\n",
    );
    for (number, region) in Region::ALL.into_iter().enumerate() {
        let address = region.address();
        sql += &format!("(1, 'ns{}.lab.test', 'A', '{address}', 60, 1),\n", number + 1);
    }
    sql + &format!("(1, 'www.lab.test', 'A', '{address}', {TTL}, 1);\nCOMMIT;\n")
}

/// Starts the server and waits until it answers for the record, and its API for its key.
pub(crate) async fn start(lab: &Lab, region: Region) -> Result<()> {
    let mut command = process::command(&lab.programs.pdns);
    command.arg(format!("--config-dir={}", lab.layout.pdns(region).display()));
    let server = lab.dns_server(region);
    let api = std::net::SocketAddrV4::new(region.address(), lab.ports().dns_api);
    lab.start(&process_name(region), command, || async {
        resolve::ask(server, RECORD).await.map_err(|error| error.to_string())?;
        tokio::net::TcpStream::connect(api).await.map(|_| ()).map_err(|error| error.to_string())
    })
    .await
}

impl Lab {
    /// Where the DNS server of a region answers.
    pub fn dns_server(&self, region: Region) -> std::net::SocketAddr {
        std::net::SocketAddr::new(region.address().into(), self.ports().dns)
    }

    /// Base address of the API of a region's PowerDNS.
    pub fn dns_api(&self, region: Region) -> String {
        format!("http://{}:{}", region.address(), self.ports().dns_api)
    }
}
