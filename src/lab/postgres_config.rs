//! PostgreSQL's configuration files. Both servers have the same shape: each knows the other as its source, so that
//! `standby.signal` alone decides the role, as in a pair that is meant to fail over and back.

use std::path::Path;

use super::Region;
use super::account::Account;
use super::error::{FileContext, Result};
use super::layout::Layout;
use super::pki::{IssueOptions, Pki};
use super::ports::Ports;
use super::secrets::{Secret, Secrets};

/// Where certificates and the password file for replication go; written once, before the first start.
pub(crate) fn write_identity(
    layout: &Layout,
    account: Account,
    region: Region,
    pki: &Pki,
    secrets: &Secrets,
) -> Result<()> {
    use secrecy::ExposeSecret;
    let folder = layout.postgres(region);
    account.folder(&folder)?;
    let issued = pki.issue(&IssueOptions {
        names: vec![region.address().to_string(), format!("pg.{region}.lab.test")],
        expired: false,
    })?;
    account.file(&folder.join("server.pem"), &issued.certificate)?;
    account.file(&folder.join("server.key"), &issued.key)?;
    let password = secrets.read(Secret::Replicator)?;
    account.file(&folder.join("passfile"), &format!("*:*:*:replicator:{}\n", password.expose_secret()))
}

/// Writes `postgresql.conf` and `pg_hba.conf`, and empties `postgresql.auto.conf`: a copy of the data folder and pg_rewind
/// both bring those of the other server along, with its address, its name and a leftover freeze.
pub(crate) fn write_config(layout: &Layout, account: Account, region: Region, ports: &Ports) -> Result<()> {
    let data = layout.pgdata(region);
    account.file(&data.join("postgresql.conf"), &postgresql_conf(layout, region, ports))?;
    account.file(&data.join("pg_hba.conf"), PG_HBA)?;
    account.file(&data.join("postgresql.auto.conf"), "")
}

/// Makes the data folder a standby's, or no longer one's.
pub(crate) fn set_standby(layout: &Layout, account: Account, region: Region, standby: bool) -> Result<()> {
    let signal = layout.pgdata(region).join("standby.signal");
    if standby {
        return account.file(&signal, "");
    }
    match std::fs::remove_file(&signal) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).on("removing", &signal),
        _ => Ok(()),
    }
}

const PG_HBA: &str = "\
# type    database     user        address       method
hostssl   all          all         127.0.0.0/8   scram-sha-256
hostssl   replication  replicator  127.0.0.0/8   scram-sha-256
";

/// `max_connections` stays at its default: `initdb` has written it into the control file, and a standby refuses to start with
/// less than that.
fn postgresql_conf(layout: &Layout, region: Region, ports: &Ports) -> String {
    let folder = layout.postgres(region);
    let source = region.other();
    let conninfo = format!(
        "host={host} port={port} user=replicator passfile={passfile} application_name={name} \
         sslmode=verify-full sslrootcert={ca} connect_timeout=3",
        host = source.address(),
        port = ports.postgres,
        passfile = conninfo_value(&folder.join("passfile")),
        name = region.slot(),
        ca = conninfo_value(&layout.pki().join("ca.pem")),
    );
    format!(
        "# written by mrctl lab\n\
         listen_addresses = '{address}'\n\
         port = {port}\n\
         unix_socket_directories = ''\n\
         cluster_name = '{region}'\n\
         shared_buffers = 16MB\n\
         min_wal_size = 32MB\n\
         max_wal_size = 256MB\n\
         shared_preload_libraries = ''\n\
         fsync = on\n\
         wal_level = replica\n\
         wal_log_hints = on\n\
         wal_keep_size = 64MB\n\
         max_wal_senders = 10\n\
         max_replication_slots = 10\n\
         wal_retrieve_retry_interval = 100ms\n\
         wal_receiver_status_interval = 1s\n\
         hot_standby = on\n\
         password_encryption = 'scram-sha-256'\n\
         ssl = on\n\
         ssl_cert_file = {certificate}\n\
         ssl_key_file = {key}\n\
         log_line_prefix = '%m [%p] %u@%d/%a '\n\
         primary_conninfo = {conninfo}\n\
         primary_slot_name = '{slot}'\n",
        address = region.address(),
        port = ports.postgres,
        certificate = quoted(&folder.join("server.pem").to_string_lossy()),
        key = quoted(&folder.join("server.key").to_string_lossy()),
        conninfo = quoted(&conninfo),
        slot = region.slot(),
    )
}

/// A value of `postgresql.conf` in quotes; backslashes escape there too.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

/// A path in a connection string, where spaces separate and backslashes escape.
fn conninfo_value(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_survive_both_levels() {
        let value = conninfo_value(Path::new("/tmp/it's here/ca.pem"));
        assert_eq!(value, r"'/tmp/it\'s here/ca.pem'");
        assert_eq!(quoted(&value), r"'''/tmp/it\\''s here/ca.pem'''");
    }
}
