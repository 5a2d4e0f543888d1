//! The generated inventory: a complete `mrctl.yaml` for the lab, to read as an example and to run against.

use std::path::Path;

use super::account::write_file;
use super::error::{LabError, Result};
use super::packages::find;
use super::{Lab, Ports, Region};

/// Writes it.
pub(crate) fn write(lab: &Lab) -> Result<()> {
    write_file(&lab.layout.inventory(), &text(lab, lab.ports())?, 0o644)
}

/// Its text, with servers at these ports.
pub(crate) fn text(lab: &Lab, ports: Ports) -> Result<String> {
    let (eu, us) = (Region::EuWest, Region::UsEast);
    let tls = ports.app_tls;
    let mut yaml = format!(
        "# Written by `mrctl lab up`: two regions on this machine. Paths are relative to this file.\n\
         mrctl: 1\n\
         name: {name}\n\
         regions:\n",
        name = environment(lab.layout.root()),
    );
    for region in Region::ALL {
        yaml += &format!(
            "  {region}: {{ title: {title}, facts: {{ address: {address} }} }}\n",
            title = region.title(),
            address = region.address(),
        );
    }
    yaml += "\
postgres:
  orders:
    database: orders
    user: mrctl
    password: { file: secrets/postgres-mrctl }
    tls: { verify: full, ca: pki/ca.pem }
    writers: local
    applications: [app]
    keep: [monitoring, postgres]
    probe_table: mrctl.probe
    heartbeat: { table: mrctl.heartbeat, every: 1s }
    members:
";
    for region in Region::ALL {
        yaml += &member(lab, region, ports.postgres)?;
    }
    yaml += "dns_servers:\n";
    for (name, region) in [("pdns-eu", eu), ("pdns-us", us)] {
        yaml += &format!(
            "  {name}:\n    at: {region}\n    query: \"{query}\"\n    powerdns: {{ url: \"{api}\", key: {{ file: secrets/pdns-api-key }} }}\n",
            query = std::net::SocketAddrV4::new(region.address(), ports.dns),
            api = format_args!("http://{}:{}", region.address(), ports.dns_api),
        );
    }
    yaml += &format!(
        "\
dns_records:
  www:
    name: www.lab.test.
    zone: lab.test.
    type: A
    ttl: {ttl}s
    servers: [pdns-eu, pdns-us]
    targets: {{ {eu}: {eu_ip}, {us}: {us_ip} }}
    normal: {{ {eu}: 100%, {us}: 0% }}
caches:
  sessions:
    redis: {{ password: {{ file: secrets/redis }} }}
    members:
      {eu}: {{ host: {eu_ip}, port: {redis} }}
      {us}: {{ host: {us_ip}, port: {redis} }}
endpoints:
  shop:
    url: https://www.lab.test:{tls}/healthz
    tls: {{ verify: full, ca: pki/ca.pem }}
    expect:
      status: 200
      header: {{ x-region: \"${{region}}\" }}
    members: {{ {eu}: \"{eu_ip}:{tls}\", {us}: \"{us_ip}:{tls}\" }}
signals:
  error_rate:
    unit: ratio
    http: {{ url: \"http://127.0.0.1:{receiver}/metrics/${{region}}\", pointer: /error_rate }}
  p95:
    unit: seconds
    http: {{ url: \"http://127.0.0.1:{receiver}/metrics/${{region}}\", pointer: /p95 }}
  lag:
    unit: bytes
    sql: {{ cluster: orders, query: \"SELECT pg_wal_lsn_diff(sent_lsn, replay_lsn) FROM pg_stat_replication\" }}
channels:
  ops:
    default: true
    webhook: {{ url: {{ file: secrets/receiver-url }} }}
",
        ttl = super::TTL,
        eu_ip = eu.address(),
        us_ip = us.address(),
        redis = ports.redis,
        receiver = ports.receiver,
    );
    Ok(yaml)
}

/// The environment's name, after the folder: lowercase letters, digits and dashes, as the inventory wants it.
fn environment(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let plain = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
    match name.as_str() {
        "lab" => name,
        _ => format!("lab-{}", name.chars().take(50).map(plain).collect::<String>()),
    }
}

/// A member with its hooks: plain commands that work from any folder and with an empty environment.
fn member(lab: &Lab, region: Region, port: u16) -> Result<String> {
    let data = lab.layout.pgdata(region).display().to_string();
    let log = lab.layout.log(&super::postgres::process_name(region)).display().to_string();
    let pg_ctl = lab.programs.postgres("pg_ctl").display().to_string();
    let control_data = lab.programs.postgres("pg_controldata").display().to_string();
    let stop = command(lab, &[&pg_ctl, "stop", "-D", &data, "-m", "fast", "-w", "-t", "60"])?;
    let start = command(lab, &[&pg_ctl, "start", "-D", &data, "-l", &log, "-w", "-t", "60"])?;
    let control = command(lab, &[&control_data, "-D", &data])?;
    // pg_ctl says 0 for running and 3 for not running; a member's `look` is asked the other way round.
    let script = "\"$0\" status -D \"$1\" >/dev/null; case $? in 0) exit 3;; 3) exit 0;; *) exit 4;; esac";
    let look = command(lab, &["/bin/sh", "-c", script, &pg_ctl, &data])?;
    // Outside of the server: asked to end at once, and if it does not, killed. A number in the file may be another process's by now.
    let quit = command(lab, &[&pg_ctl, "stop", "-D", &data, "-m", "immediate", "-w", "-t", "5"])?;
    // Its processes too: a session that was stopped would else commit what it had begun, once it goes on.
    let script = "\"$0\" status -D \"$1\" >/dev/null || exit 0; pid=$(head -n 1 \"$1/postmaster.pid\"); \
                  exec kill -9 \"$pid\" $(cat \"/proc/$pid/task/$pid/children\")";
    let kill = command(lab, &["/bin/sh", "-c", script, &pg_ctl, &data])?;
    // A server that is there and does not answer may be anything.
    let ready = lab.programs.postgres("pg_isready").display().to_string();
    let script = "\"$0\" status -D \"$1\" >/dev/null; case $? in 0) ;; 3) exit 0;; *) exit 4;; esac; \
                  \"$2\" -q -t 2 -h \"$3\" -p \"$4\"; case $? in 0|1) exit 3;; *) exit 4;; esac";
    let program = lab.program().display().to_string();
    let root = lab.layout.root().display().to_string();
    let words = [program.as_str(), "lab", "rejoin", "--dir", &root, "--primary"];
    // As whoever runs mrctl: it writes configuration files and changes to the servers' account by itself.
    let rejoin = words.map(quoted).join(", ");
    let (host, number) = (region.address().to_string(), port.to_string());
    let fenced = command(lab, &["/bin/sh", "-c", script, &pg_ctl, &data, &ready, &host, &number])?;
    Ok(format!(
        "      {region}:
        host: {host}
        port: {port}
        stop: {{ command: {stop}, timeout: 70s }}
        start: {{ command: {start}, timeout: 70s }}
        control_data: {{ command: {control}, timeout: 10s }}
        look: {{ command: {look}, timeout: 10s }}
        fence:
          - {{ command: {quit}, timeout: 10s }}
          - {{ command: {kill}, timeout: 10s }}
        fenced: {{ command: {fenced}, timeout: 10s }}
        rejoin: {{ command: [{rejoin}, \"${{primary}}\"], timeout: 90s }}
        slot: {slot}
",
        host = region.address(),
        slot = region.slot(),
    ))
}

/// A command line as a YAML list. `env --chdir`: PostgreSQL's programs go back to the folder that they were called from, and
/// fail when the servers' account cannot enter it (such as root's home).
fn command(lab: &Lab, words: &[&str]) -> Result<String> {
    let program = |name: &str| -> Result<String> {
        let path = find(name).ok_or_else(|| LabError::Missing(name.to_owned()))?;
        Ok(path.display().to_string())
    };
    let mut line = vec![program("env")?, "-i".to_owned(), "--chdir=/".to_owned()];
    line.extend(super::process::ENVIRONMENT.map(|(name, value)| format!("{name}={value}")));
    let mut prefix = lab.account.prefix();
    if let Some(first) = prefix.first_mut() {
        *first = program(first)?;
    }
    line.append(&mut prefix);
    line.extend(words.iter().map(|word| (*word).to_owned()));
    let quoted: Vec<String> = line.iter().map(|word| quoted(&word.replace("${", "$${"))).collect();
    Ok(format!("[{}]", quoted.join(", ")))
}

/// A YAML string in double quotes; JSON's escapes are a subset of YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl Lab {
    /// The command line of a hook of the inventory, without its program's environment: `stop`, `start`, `control_data`,
    /// `look`. For tests that run it as the inventory would.
    pub fn hook(&self, region: Region, name: &str) -> Result<Vec<String>> {
        let text = member(self, region, self.ports.postgres)?;
        let line =
            text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": { command: "));
        let list = line.and_then(|line| Some(&line[..line.rfind(", timeout:")?]));
        list.and_then(|list| serde_json::from_str(list).ok())
            .ok_or_else(|| LabError::Refused(format!("the lab has no hook {name}")))
    }

    /// The inventory's folder, against which its paths are relative.
    pub fn folder(&self) -> &Path {
        self.layout.root()
    }
}
