//! Reading: one statement, one JSON document, nothing assumed where the server says NULL.

use super::session::{Sessions as Connections, Trouble, look_name};
use super::sql;
use crate::world::postgres::{
    Activity, Altered, Glance, GlanceRole, Lsn, NO_RECEIVER, PrimaryFacts, ReadOnly, Receiver, Role, Scope,
    Sender, ServerFacts, Sessions, StandbyFacts,
};
use crate::world::{Known, Member};
use serde::Deserialize;

/// How far the primary's clock may be ahead of the standby's before a time that is made of both says nothing. Milliseconds.
const CLOCKS_APART_MS: i64 = 1000;

/// From this version on whoever leaves has reported what he wrote; before, reports went through a collector that could lose them.
const REPORTED_ON_EXIT: u32 = 150_000;

/// What the statement returns. Every field that the server may leave NULL is optional here, and becomes unknown below.
#[derive(Deserialize)]
struct Raw {
    system: String,
    version: u32,
    started: String,
    recovery: bool,
    timeline: Option<i64>,
    flushed: Option<Lsn>,
    inserted: Option<Lsn>,
    next: Option<String>,
    oldest: Option<String>,
    rows: Option<u64>,
    upkeep: Option<u64>,
    counted: bool,
    elsewhere_rows: u64,
    elsewhere_sessions: u64,
    connected: u32,
    prepared: Vec<String>,
    senders: Vec<RawSender>,
    received: Option<Lsn>,
    replayed: Option<Lsn>,
    replayed_ago: Option<i64>,
    replay: Option<String>,
    follows: Option<u32>,
    receiver: Option<RawReceiver>,
    targets: Vec<String>,
    delay: Option<u64>,
    ro: Option<RawReadOnly>,
    settings: bool,
    stats: bool,
    overrides: Vec<String>,
    clients: Vec<(Option<String>, u32)>,
    older: u32,
    supers: u32,
    writing: u32,
    workers: u32,
    waiting: u32,
    ours: Vec<String>,
    managers: Vec<String>,
    ssn: String,
}

#[derive(Deserialize)]
struct RawSender {
    name: Option<String>,
    state: Option<String>,
    replayed: Option<Lsn>,
    flushed: Option<Lsn>,
    sync: Option<String>,
}

#[derive(Deserialize)]
struct RawReceiver {
    status: Option<String>,
    timeline: Option<u32>,
    silent: Option<i64>,
}

#[derive(Deserialize)]
struct RawReadOnly {
    value: String,
    source: String,
    file: Option<String>,
}

pub(super) async fn look(connections: &Connections, at: &Member, scope: &Scope) -> Known<ServerFacts> {
    let name = look_name(&scope.run);
    let statement = sql::look(scope);
    let mut last = String::new();
    // Twice at most: a role that flips, or a kept connection that died, in the middle of the statement; then over a new one.
    for again in [false, true] {
        let opened = match again {
            false => connections.for_look(at, &name).await,
            true => connections.open(at, &name).await.map(|session| (session, false)),
        };
        let (mut session, used) = match opened {
            Ok(session) => session,
            Err(trouble) => return Known::Unknown(trouble.to_string()),
        };
        match session.look(&statement, connections.timeout(at)).await {
            Ok(Some(text)) => {
                connections.give_back(at, session);
                connections.prepare(at, &scope.run, &statement).await;
                return read(&text);
            }
            Ok(None) => return Known::unknown("the server returned nothing"),
            Err(Trouble::Server(state, message)) if state == "55000" => last = message,
            Err(trouble @ (Trouble::Broken(_) | Trouble::Late(_))) if used => last = trouble.to_string(),
            Err(trouble) => return Known::Unknown(trouble.to_string()),
        }
    }
    Known::Unknown(last)
}

fn read(text: &str) -> Known<ServerFacts> {
    let raw: Raw = match serde_json::from_str(text) {
        Ok(raw) => raw,
        Err(error) => return Known::Unknown(format!("the server's answer cannot be read: {error}")),
    };
    let Some(ro) = raw.ro else { return Known::unknown("default_transaction_read_only cannot be seen") };
    let no_stats = || "the role lacks pg_monitor".to_string();
    let known = |lsn: Option<Lsn>, why: &str| lsn.map_or_else(|| Known::unknown(why), Known::Known);
    let role = if raw.recovery {
        let receiver = match raw.receiver {
            None => Known::unknown(NO_RECEIVER),
            Some(RawReceiver { status: Some(status), timeline: Some(timeline), silent: Some(silent) }) => {
                Known::Known(Receiver { status, timeline, silent_ms: u64::try_from(silent).unwrap_or(0) })
            }
            Some(_) if !raw.stats => Known::Unknown(no_stats()),
            Some(_) => Known::unknown("the receiver has not heard from a primary"),
        };
        Role::Standby(StandbyFacts {
            received: known(raw.received, "nothing was received"),
            replayed: known(raw.replayed, "nothing was replayed"),
            timeline: raw
                .follows
                .map_or_else(|| Known::unknown("the control file does not say"), Known::Known),
            replayed_ms_ago: match raw.replayed_ago {
                // The last transaction may have been committed a moment after this look began there.
                Some(ago) if ago > -CLOCKS_APART_MS => Known::Known(u64::try_from(ago).unwrap_or(0)),
                Some(ago) => Known::Unknown(format!("the clocks contradict each other by {} ms", -ago)),
                None => Known::unknown("no transaction was replayed since the start"),
            },
            replay: raw.replay.unwrap_or_else(|| "unknown".into()),
            receiver,
            recovery_targets: raw.targets,
            apply_delay_ms: raw.delay.unwrap_or(u64::MAX),
        })
    } else {
        let number = |text: Option<String>| text.and_then(|text| text.parse::<u64>().ok());
        let (
            Some(timeline),
            Some(flushed),
            Some(inserted),
            Some(next),
            Some(oldest),
            Some(rows),
            Some(upkeep),
        ) = (
            raw.timeline,
            raw.flushed,
            raw.inserted,
            number(raw.next),
            number(raw.oldest),
            raw.rows,
            raw.upkeep,
        )
        else {
            return Known::unknown("the role changed while it was read");
        };
        let senders = if raw.stats {
            Known::Known(raw.senders.into_iter().map(sender).collect())
        } else {
            Known::Unknown(no_stats())
        };
        Role::Primary(PrimaryFacts {
            timeline: u32::try_from(timeline).unwrap_or(0),
            flushed,
            inserted,
            next_transaction: next,
            oldest_transaction: oldest,
            activity: Activity {
                rows,
                upkeep,
                counted: raw.counted,
                complete: raw.stats && raw.connected == 0 && raw.version >= REPORTED_ON_EXIT,
                elsewhere_rows: raw.elsewhere_rows,
                elsewhere_sessions: raw.elsewhere_sessions,
            },
            prepared: raw.prepared,
            senders,
        })
    };
    let altered = altered(&ro, raw.settings);
    let mut overrides = raw.overrides;
    overrides.sort();
    let sessions = if raw.stats {
        Known::Known(Sessions {
            clients: raw
                .clients
                .into_iter()
                .map(|(role, n)| (role.unwrap_or_else(|| "?".into()), n))
                .collect(),
            older: raw.older,
            writing: raw.writing,
            superusers: raw.supers,
            workers: raw.workers,
        })
    } else {
        Known::Unknown(no_stats())
    };
    Known::Known(ServerFacts {
        system: raw.system,
        version: raw.version,
        started: raw.started,
        role,
        read_only: ReadOnly { on: ro.value == "on", source: ro.source, altered },
        overrides,
        sessions,
        synchronous_names: raw.ssn,
        waiting_for_standby: if raw.stats { Known::Known(raw.waiting) } else { Known::Unknown(no_stats()) },
        // Sessions of our own role can always be seen.
        ours: Known::Known(raw.ours),
        managers: raw.managers,
    })
}

/// What `ALTER SYSTEM` holds, as far as the effective value tells: its file overrides every other file, and is itself hidden by the
/// command line and by settings of the role or database that we came in with.
fn altered(ro: &RawReadOnly, may_see: bool) -> Known<Altered> {
    match (ro.source.as_str(), &ro.file) {
        ("configuration file", Some(file)) if file.ends_with("postgresql.auto.conf") => {
            Known::Known(Altered::To(ro.value.clone()))
        }
        ("configuration file", Some(_)) | ("default", _) => Known::Known(Altered::Unset),
        ("configuration file", None) if !may_see => Known::unknown("the role lacks pg_read_all_settings"),
        (source, _) => Known::Unknown(format!("it is hidden by a setting of the {source}")),
    }
}

fn sender(raw: RawSender) -> Sender {
    let known =
        |lsn: Option<Lsn>| lsn.map_or_else(|| Known::unknown("the server does not say"), Known::Known);
    Sender {
        name: raw.name.unwrap_or_default(),
        state: raw.state.unwrap_or_default(),
        replayed: known(raw.replayed),
        flushed: known(raw.flushed),
        sync: raw.sync.unwrap_or_default(),
    }
}

#[derive(Deserialize)]
struct RawGlance {
    system: String,
    started: String,
    read_only: bool,
    recovery: bool,
    stats: bool,
    writing: u32,
    next: Option<String>,
}

pub(super) async fn glance(connections: &Connections, at: &Member, scope: &Scope) -> Known<Glance> {
    let name = look_name(&scope.run);
    let mut last = String::new();
    // Twice at most: over a new connection if a kept one died meanwhile.
    for again in [false, true] {
        let opened = match again {
            false => connections.for_look(at, &name).await,
            true => connections.open(at, &name).await.map(|session| (session, false)),
        };
        let (session, used) = match opened {
            Ok(session) => session,
            Err(trouble) => return Known::Unknown(trouble.to_string()),
        };
        match session.value(sql::GLANCE, connections.timeout(at)).await {
            Ok(Some(text)) => {
                connections.give_back(at, session);
                connections.prepare(at, &scope.run, &sql::look(scope)).await;
                return read_glance(&text);
            }
            Ok(None) => return Known::unknown("the server returned nothing"),
            Err(trouble @ (Trouble::Broken(_) | Trouble::Late(_))) if used => last = trouble.to_string(),
            Err(trouble) => return Known::Unknown(trouble.to_string()),
        }
    }
    Known::Unknown(last)
}

fn read_glance(text: &str) -> Known<Glance> {
    let raw: RawGlance = match serde_json::from_str(text) {
        Ok(raw) => raw,
        Err(error) => return Known::Unknown(format!("the server's answer cannot be read: {error}")),
    };
    let role = match (raw.recovery, raw.next.and_then(|next| next.parse().ok())) {
        (true, _) => GlanceRole::Standby,
        (false, Some(next_transaction)) => GlanceRole::Primary { next_transaction },
        (false, None) => return Known::unknown("the role changed while it was read"),
    };
    let open_writes =
        if raw.stats { Known::Known(raw.writing) } else { Known::unknown("the role lacks pg_monitor") };
    let (system, started, read_only) = (raw.system, raw.started, raw.read_only);
    Known::Known(Glance { system, started, read_only, role, open_writes })
}

pub(super) async fn read_probe(
    connections: &Connections,
    at: &Member,
    table: &str,
    run: &str,
) -> Known<bool> {
    let name = look_name(run);
    let (session, _) = match connections.for_look(at, &name).await {
        Ok(session) => session,
        Err(trouble) => return Known::Unknown(trouble.to_string()),
    };
    match session.value(&sql::read_probe(table, run, &at.region), connections.timeout(at)).await {
        Ok(Some(text)) => {
            connections.give_back(at, session);
            Known::Known(text == "true")
        }
        Ok(None) => Known::unknown("the server returned nothing"),
        Err(trouble) => Known::Unknown(trouble.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANDBY: &str = r#"{"system":"7","version":150018,"started":"1","recovery":true,"timeline":null,"flushed":null,
        "inserted":null,"next":null,"oldest":null,"rows":null,"upkeep":null,"counted":true,"elsewhere_rows":0,"elsewhere_sessions":0,"connected":0,"prepared":[],"senders":[],"received":null,"replayed":"0/3000000","replayed_ago":null,
        "replay":"not paused","follows":null,"receiver":null,"targets":[],"delay":0,"ro":{"value":"on","source":"configuration file","file":null},
        "settings":false,"stats":false,"overrides":[],"clients":[],"older":0,"supers":0,"writing":0,"workers":0,"waiting":0,
        "ours":[],"managers":[],"ssn":""}"#;

    #[test]
    fn null_becomes_unknown_and_never_zero() {
        let Known::Known(facts) = read(STANDBY) else { panic!("unreadable") };
        let standby = facts.standby().unwrap();
        assert_eq!(standby.received, Known::unknown("nothing was received"));
        assert!(standby.receiver.get().is_none());
        assert_eq!(facts.sessions, Known::unknown("the role lacks pg_monitor"));
        assert_eq!(facts.read_only.altered, Known::unknown("the role lacks pg_read_all_settings"));
    }

    #[test]
    fn what_alter_system_holds_is_unknown_where_it_is_hidden() {
        let ro = |source: &str, file: Option<&str>| RawReadOnly {
            value: "on".into(),
            source: source.into(),
            file: file.map(Into::into),
        };
        let auto = "/data/postgresql.auto.conf";
        assert_eq!(
            altered(&ro("configuration file", Some(auto)), true),
            Known::Known(Altered::To("on".into()))
        );
        assert_eq!(
            altered(&ro("configuration file", Some("/etc/main.conf")), true),
            Known::Known(Altered::Unset)
        );
        assert_eq!(altered(&ro("default", None), false), Known::Known(Altered::Unset));
        for source in ["user", "database", "command line", "client"] {
            assert!(altered(&ro(source, None), true).get().is_none(), "{source}");
        }
    }

    #[test]
    fn a_primary_without_positions_is_unknown_as_a_whole() {
        let text = STANDBY.replace(r#""recovery":true"#, r#""recovery":false"#);
        assert_eq!(read(&text), Known::unknown("the role changed while it was read"));
    }
}
