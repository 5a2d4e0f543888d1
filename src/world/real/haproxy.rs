//! HAProxy's runtime API: takes a server out of what users reach, and tells whether it is out.
//!
//! No port of the engine: it serves `mrctl haproxy`, a command that the inventory names under `fence` and `fenced` like any other, and
//! that the engine runs under its permit.

use crate::error::escape;
use crate::world::Known;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;

/// The bit of `srv_admin_state` that a person has set, and that stays until a person takes it back (documentation of HAProxy 2.6, management
/// guide, 9.3, "show servers state"). The others come and go with a server that this one follows (0x02) or with a name that is not
/// resolved (0x20), let sessions go on (0x08, 0x10), or tell only how the configuration once began (0x04: it stays when the server is made
/// ready again).
const MAINTENANCE: u32 = 0x01;
/// Longest answer. Bytes.
const LONGEST: u64 = 4 << 20;
/// Time between two looks while sessions are being ended.
const PACE: Duration = Duration::from_millis(20);

/// A server of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerName {
    backend: String,
    server: String,
}

impl std::str::FromStr for ServerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // What HAProxy allows in names; anything else could end the command and begin another.
        let plain = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c))
        };
        match text.split_once('/') {
            Some((backend, server)) if plain(backend) && plain(server) => {
                Ok(Self { backend: backend.into(), server: server.into() })
            }
            _ => Err("write BACKEND/SERVER as in HAProxy's configuration, such as orders/pg-eu".into()),
        }
    }
}

impl ServerName {
    /// Whether a row is about it.
    fn is(&self, row: &BTreeMap<&str, &str>, backend: &str, server: &str) -> bool {
        row.get(backend) == Some(&self.backend.as_str()) && row.get(server) == Some(&self.server.as_str())
    }
}

impl std::fmt::Display for ServerName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.backend, self.server)
    }
}

/// One command, one connection: HAProxy closes it behind the answer.
async fn ask(at: &str, command: &str, until: Instant) -> Result<String, String> {
    async fn say(mut stream: impl AsyncRead + AsyncWrite + Unpin, command: &str) -> std::io::Result<Vec<u8>> {
        stream.write_all(format!("{command}\n").as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(LONGEST).read_to_end(&mut answer).await?;
        Ok(answer)
    }
    let talk = async {
        match at.strip_prefix("unix:").or_else(|| at.starts_with('/').then_some(at)) {
            Some(path) => say(UnixStream::connect(path).await?, command).await,
            None => say(TcpStream::connect(at).await?, command).await,
        }
    };
    match tokio::time::timeout_at(until, talk).await {
        // It ends with an empty line; what was cut off in the middle lacks something.
        Ok(Ok(answer)) if answer.ends_with(b"\n\n") || answer == b"\n" => {
            Ok(String::from_utf8_lossy(&answer).into_owned())
        }
        Ok(Ok(_)) => Err("its answer is not whole".into()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer in time".into()),
    }
}

/// A table with a header that begins with `#`, by the names of its columns.
fn rows(text: &str, between: char) -> Vec<BTreeMap<&str, &str>> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with('#'));
    let Some(header) = lines.next() else { return Vec::new() };
    let names: Vec<&str> = header.trim_start_matches('#').trim().split(between).collect();
    lines
        .filter(|line| !line.trim().is_empty())
        .map(|line| names.iter().copied().zip(line.split(between)).collect())
        .collect()
}

/// What the proxy's own checks say of a server that it is to send users to. That it is not in maintenance does not mean that it lives.
fn unless_up(statistics: &[BTreeMap<&str, &str>], name: &ServerName, what: String) -> Known<Option<String>> {
    let row = statistics.iter().find(|row| name.is(row, "pxname", "svname"));
    let status = row.and_then(|row| row.get("status").copied()).unwrap_or("");
    match ["UP", "NOLB"].iter().any(|up| status.starts_with(up)) {
        true => Known::Known(Some(format!("{what}, and {name} is up"))),
        false => Known::Unknown(format!(
            "{what}; by the proxy's checks {name} is `{}`",
            escape::outside(status, 40)
        )),
    }
}

/// What of these tables lets users reach the server: nothing where it is out.
fn reached(states: &str, statistics: &str, name: &ServerName) -> Known<Option<String>> {
    let (states, statistics) = (rows(states, ' '), rows(statistics, ','));
    let own = |row: &BTreeMap<&str, &str>| name.is(row, "be_name", "srv_name");
    let stays = |row: &BTreeMap<&str, &str>| {
        row.get("srv_admin_state")?.parse::<u32>().ok().map(|bits| bits & MAINTENANCE != 0)
    };
    let Some(row) = states.iter().find(|row| own(row)) else {
        return Known::Unknown(format!("it has no server {name}"));
    };
    match stays(row) {
        Some(true) => {}
        Some(false) => {
            return unless_up(&statistics, name, format!("{name} is not in maintenance that stays"));
        }
        None => return Known::unknown("it does not tell the server's state"),
    }
    // On whatever port: a pooler beside the database leads to it.
    let place = |row: &BTreeMap<&str, &str>| row.get("srv_addr").map(ToString::to_string);
    // The same server under another name. One of these that is up outweighs what is unknown of others.
    let twins =
        states.iter().filter(|other| !own(other) && place(other) == place(row) && stays(other) != Some(true));
    let twins = twins.map(|twin| {
        let part = |column: &str| twin.get(column).map(ToString::to_string).unwrap_or_default();
        let twin = ServerName { backend: part("be_name"), server: part("srv_name") };
        let shown = escape::outside(&twin.to_string(), 100);
        let what = format!("{name} is in maintenance, and {shown} leads to the same address");
        unless_up(&statistics, &twin, what)
    });
    let twins: Vec<Known<Option<String>>> = twins.collect();
    if let Some(twin) = twins.iter().find(|twin| twin.get().is_some()).or(twins.first()) {
        return twin.clone();
    }
    let open = statistics.iter().find(|row| name.is(row, "pxname", "svname"));
    if !open.is_some_and(|row| row.get("status").is_some_and(|status| status.starts_with("MAINT"))) {
        return Known::Unknown(format!("{name} has the mark of maintenance, and is not in it"));
    }
    match open.and_then(|row| row.get("scur")?.parse::<u64>().ok()) {
        None => Known::Unknown(format!("it does not tell the sessions of {name}")),
        Some(0) => Known::Known(None),
        Some(open) => Known::Known(Some(format!("{name} is in maintenance, and {open} sessions go on"))),
    }
}

/// What lets users reach the server through this proxy: nothing where it is out of it, and none of its sessions goes on.
pub async fn look(at: &str, name: &ServerName, limit: Duration) -> Known<Option<String>> {
    let until = Instant::now() + limit;
    let states = ask(at, "show servers state", until).await;
    // Behind the states: a session that came before it was closed is seen.
    let statistics = ask(at, "show stat -1 4 -1", until).await;
    match (states, statistics) {
        (Ok(states), Ok(statistics)) => reached(&states, &statistics, name),
        (Err(why), _) | (_, Err(why)) => Known::Unknown(why),
    }
}

/// How a proxy was asked to take a server out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It is out, and that was seen.
    Seen,
    /// Certainly nothing was changed.
    Nothing(String),
    /// It may be out or not.
    Unproved(String),
}

/// Takes the server out of this proxy, ends its sessions, and looks until it is so or the time is over.
pub async fn close(at: &str, name: &ServerName, limit: Duration) -> Closed {
    let until = Instant::now() + limit;
    // Only where it is known there, whatever it is: until then nothing was changed, from then on it may have been.
    match ask(at, "show servers state", until).await {
        Ok(states) if rows(&states, ' ').iter().any(|row| name.is(row, "be_name", "srv_name")) => {}
        Ok(_) => return Closed::Nothing(format!("it has no server {name}")),
        Err(why) => return Closed::Nothing(why),
    }
    for command in [format!("set server {name} state maint"), format!("shutdown sessions server {name}")] {
        match ask(at, &command, until).await {
            Ok(said) if said.trim().is_empty() => {}
            Ok(said) => {
                return Closed::Unproved(format!("`{command}`: {}", escape::outside(said.trim(), 200)));
            }
            Err(why) => return Closed::Unproved(format!("`{command}`: {why}")),
        }
    }
    loop {
        let seen = look(at, name, until.saturating_duration_since(Instant::now())).await;
        let why = match seen {
            Known::Known(None) => return Closed::Seen,
            Known::Known(Some(why)) | Known::Unknown(why) => why,
        };
        if Instant::now() + PACE >= until {
            return Closed::Unproved(why);
        }
        tokio::time::sleep(PACE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: &str = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_fqdn srv_port\n\
        3 orders 1 pg-eu 10.0.0.1 0 ADMIN - 5432\n3 orders 2 pg-us 10.0.0.2 2 0 - 5432\n2 first 1 eu 10.0.0.1 2 TWIN - 5432\n4 reports 1 eu 10.0.0.1 2 TWIN - 5432\n\n";
    const STATISTICS: &str = "# pxname,svname,qcur,qmax,scur,status\norders,pg-eu,0,0,OPEN,CHECKED\norders,pg-us,0,0,2,UP\n\
        reports,eu,0,0,0,UP 1/3\n\n";

    fn seen(admin: &str, twin: &str, open: &str, checked: &str) -> Known<Option<String>> {
        let states = STATES.replace("ADMIN", admin).replace("TWIN", twin);
        let statistics = STATISTICS.replace("OPEN", open).replace("CHECKED", checked);
        reached(&states, &statistics, &"orders/pg-eu".parse().unwrap())
    }

    #[test]
    fn only_maintenance_that_stays_with_no_session_and_no_second_way_is_closed() {
        assert_eq!(seen("1", "1", "0", "MAINT"), Known::Known(None));
        assert_eq!(seen("5", "5", "0", "MAINT"), Known::Known(None));
        for (admin, twin, open, checked, word) in [
            ("0", "1", "0", "UP", "not in maintenance"),
            ("8", "1", "0", "NOLB", "not in maintenance"),
            ("1", "0", "0", "MAINT", "reports/eu leads to the same address"),
            ("1", "32", "0", "MAINT", "reports/eu leads to the same address"),
            ("1", "1", "2", "MAINT", "2 sessions go on"),
        ] {
            let seen = seen(admin, twin, open, checked);
            assert!(seen.is(|why| why.as_deref().is_some_and(|why| why.contains(word))), "{word}: {seen:?}");
        }
        for (admin, open, checked) in [
            // Not in maintenance, and perhaps dead: that is no sign of life.
            ("0", "0", "DOWN"),
            ("0", "0", "no check"),
            ("0", "3", "DOWN 1/2"),
            // Disabled by the configuration, and made ready since.
            ("4", "0", "no check"),
            ("1", "0", "DRAIN"),
            ("2", "0", "MAINT (via a/b)"),
            ("32", "0", "MAINT (resolution)"),
            ("x", "0", "MAINT"),
            ("1", "", "MAINT"),
            ("1", "x", "MAINT"),
        ] {
            assert!(seen(admin, "1", open, checked).why().is_some(), "{admin} {open} {checked}");
        }
        let name = "orders/nobody".parse().unwrap();
        assert!(reached(STATES, STATISTICS, &name).why().is_some());
        assert!(reached("", "", &name).why().is_some());
    }

    #[test]
    fn a_name_is_a_name_and_no_command() {
        for text in ["orders", "a/b/c", "/b", "a/", "a/b; disable server x/y", "a/b\nquit", "a/b c"] {
            assert!(text.parse::<ServerName>().is_err(), "{text:?}");
        }
    }
}
