//! Connections: fresh ones, with deadlines on the client that cancel at the server.

use super::connection::{Connector, connect, connect_error};
pub(super) use super::connection::{Session, Trouble};
use super::sql;
use crate::journal::permit::short_run;
use crate::world::Member;
use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a connection may take to be made, TLS and password included; never longer than a look.
pub const CONNECT: Duration = Duration::from_secs(2);
/// Deadline of a single changing statement, if that of a look is not longer. They are all quick: none waits for other sessions or for
/// replication.
pub(super) const CALL: Duration = Duration::from_secs(5);
/// The longest that it becomes where a cluster's `timeout` is longer.
const LONGEST: Duration = Duration::from_secs(10);
/// How long a connection may stay unused: an older one may have been dropped by a firewall without a word.
const IDLE: Duration = Duration::from_secs(10);

/// How many connections are kept ready at a member: a freeze, and the look after it. Not for what seldom comes next: each one loads
/// the configuration too when the freeze is loaded, in the midst of the write gap.
const SPARES: usize = 2;
/// How many connections that have done their work are left open at a member: ending one costs the server more than keeping it.
const DONE: usize = 2;
/// How long such a connection may have waited.
const SPARE_AGE: Duration = Duration::from_secs(60);
/// How long a spare may take to prove alive before another is opened instead.
const RENAME: Duration = Duration::from_millis(700);

/// The name of a run's connections that change nothing.
pub(super) fn look_name(run: &str) -> String {
    format!("mrctl/{}/look", short_run(run))
}

/// All clusters.
#[derive(Default)]
pub struct Settings {
    /// By the name in the inventory.
    pub clusters: BTreeMap<String, ClusterSettings>,
}

/// How to reach a cluster.
pub struct ClusterSettings {
    /// Database.
    pub database: String,
    /// Role.
    pub user: String,
    /// Password, resolved before the first change.
    pub password: Option<SecretString>,
    /// TLS; `None` only where the inventory says `insecure: true`.
    pub tls: Option<Arc<ClientConfig>>,
    /// The name that certificates are checked against, if it is not the host.
    pub tls_name: Option<String>,
    /// Deadline of a look.
    pub timeout: Duration,
    /// Deadline of a connection, if that of a look is not shorter; [`CONNECT`] is usual.
    pub connect: Duration,
    /// Host and port by region.
    pub members: BTreeMap<String, (String, u16)>,
}

/// A connection that is opened ahead, has changed nothing, and has not been asked for a fact.
struct Spare {
    session: Session,
    since: Instant,
}

impl Spare {
    fn usable(&self) -> bool {
        !self.session.client.is_closed() && self.since.elapsed() < SPARE_AGE
    }
}

/// A connection that waits to be used again for a look.
struct Idle {
    session: Session,
    since: Instant,
}

/// Opens connections and keeps those that may be used again for looks.
pub struct Sessions {
    settings: Settings,
    /// Connections for looks, opened after the last change at that member: what proves a change is never older than it.
    idle: RefCell<BTreeMap<Member, Idle>>,
    /// Counts changes by member. A look that flies while something changes must not give its old connection back.
    generations: RefCell<BTreeMap<Member, u64>>,
    /// Connections for changes to come, and for the first look after each.
    spares: RefCell<BTreeMap<Member, Vec<Spare>>>,
    /// Connections that have done their work, renamed, the newest last: the next change may use one, a look never.
    done: RefCell<BTreeMap<Member, Vec<Session>>>,
    /// Sessions that hold advisory locks.
    pub(super) locks: RefCell<BTreeMap<Member, Rc<Session>>>,
    /// Members whose lock this process has had.
    pub(super) had: RefCell<BTreeSet<Member>>,
    /// One asks for a lock at a time: steps that run together would find each other's session in their way.
    pub(super) asking: tokio::sync::Mutex<()>,
    /// What the sessions that hold locks say of themselves, as a comment of their statements.
    pub(super) says: String,
    /// Members whose lock could not be asked for.
    pub(super) out_of_reach: RefCell<BTreeSet<Member>>,
}

impl Sessions {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            idle: RefCell::default(),
            generations: RefCell::default(),
            spares: RefCell::default(),
            done: RefCell::default(),
            locks: RefCell::default(),
            had: RefCell::default(),
            asking: tokio::sync::Mutex::default(),
            says: String::new(),
            out_of_reach: RefCell::default(),
        }
    }

    pub(super) fn timeout(&self, at: &Member) -> Duration {
        self.settings.clusters.get(&at.resource).map_or(Duration::from_secs(5), |cluster| cluster.timeout)
    }

    /// The member of a cluster in a region, or what to ask for instead.
    pub(super) fn has(&self, cluster: &str, region: &str) -> Result<Member, String> {
        let Some(settings) = self.settings.clusters.get(cluster) else {
            return Err(format!("there is no cluster {cluster} in the inventory"));
        };
        if settings.members.contains_key(region) {
            return Ok(Member::new(cluster, region));
        }
        let regions: Vec<&str> = settings.members.keys().map(String::as_str).collect();
        Err(format!(
            "it has to be asked for a region in which {cluster} has a member: {}",
            regions.join(", ")
        ))
    }

    fn generation(&self, at: &Member) -> u64 {
        self.generations.borrow().get(at).copied().unwrap_or(0)
    }

    /// A connection that no change of ours has used, and that has not looked before the last one: an idle one, a spare, or a new
    /// one. Says whether it was opened before.
    ///
    /// A spare was opened before the change and is as good as one from after it: it holds no state of its own, and a session loads
    /// the configuration only after the server has (the postmaster reloads first, then tells its children).
    pub(super) async fn for_look(&self, at: &Member, name: &str) -> Result<(Session, bool), Trouble> {
        let idle = self.idle.borrow_mut().remove(at);
        if let Some(idle) = idle
            && !idle.session.client.is_closed()
            && idle.since.elapsed() < IDLE
        {
            return Ok((idle.session, true));
        }
        let generation = self.generation(at);
        match self.spare(at) {
            Some(session) => Ok((Session { generation, ..session }, true)),
            None => Ok((self.open(at, name).await?, false)),
        }
    }

    /// The oldest spare that is young enough.
    fn spare(&self, at: &Member) -> Option<Session> {
        let mut spares = self.spares.borrow_mut();
        let spares = spares.get_mut(at)?;
        spares.retain(Spare::usable);
        (!spares.is_empty()).then(|| spares.remove(0).session)
    }

    /// Gives a connection back that worked.
    pub(super) fn give_back(&self, at: &Member, session: Session) {
        if !session.client.is_closed() && session.generation == self.generation(at) {
            let idle = Idle { session, since: Instant::now() };
            self.idle.borrow_mut().insert(at.clone(), idle);
        }
    }

    /// Something changed, or may have changed, at this member: connections from before prove nothing about it any more.
    pub(super) fn changed(&self, at: &Member) {
        *self.generations.borrow_mut().entry(at.clone()).or_insert(0) += 1;
        if let Some(idle) = self.idle.borrow_mut().remove(at) {
            self.put_away(at, idle.session);
        }
    }

    /// Leaves a connection open that has done its work and goes by the name of looks again.
    pub(super) fn put_away(&self, at: &Member, session: Session) {
        let mut done = self.done.borrow_mut();
        let done = done.entry(at.clone()).or_default();
        done.push(session);
        if done.len() > DONE {
            done.remove(0);
        }
    }

    /// A new connection.
    pub(super) async fn open(&self, at: &Member, name: &str) -> Result<Session, Trouble> {
        self.dial(at, name)?.await
    }

    /// Opens connections ahead and lets them prepare the statement of looks: within a write gap a handshake costs more than the
    /// change itself. Only before the first change at this member, and only within a run; a look from outside leaves nothing behind.
    /// Waits for them, so that they cost nothing later; those that cannot be opened are opened when they are needed.
    pub(super) async fn prepare(&self, at: &Member, run: &str, look: &str) {
        if run.is_empty() || self.generation(at) > 0 {
            return;
        }
        // One that has prepared another statement would have to do it again in the midst of things. The one that looks and those
        // that wait for their turn are counted together, so that taking one of them opens no other.
        let looks = {
            let mut idle = self.idle.borrow_mut();
            idle.retain(|member, idle| member != at || idle.session.prepared == look);
            usize::from(idle.contains_key(at))
        };
        let missing = {
            let mut spares = self.spares.borrow_mut();
            let spares = spares.entry(at.clone()).or_default();
            spares.retain(Spare::usable);
            (1 + SPARES).saturating_sub(looks + spares.len())
        };
        let name = look_name(run);
        let open = async || {
            let mut session = self.open(at, &name).await.ok()?;
            // Run once, its answer unused: the first time costs the server three times as much.
            session.look(look, self.timeout(at)).await.ok()?;
            Some(Spare { session, since: Instant::now() })
        };
        let opened = futures_util::future::join_all((0..missing).map(|_| open())).await;
        self.spares.borrow_mut().entry(at.clone()).or_default().extend(opened.into_iter().flatten());
    }

    /// A connection for a change, under the change's name before anything of the change is sent: a server that shows no session of
    /// that name has not received it. One that was opened ahead, or a new one. `question` is asked with the renaming.
    pub(super) async fn for_change(
        &self,
        at: &Member,
        name: &str,
        question: &str,
    ) -> Result<(Session, Option<String>), Trouble> {
        // One that does not answer says enough of the others.
        let done = self.done.borrow_mut().get_mut(at).and_then(Vec::pop).filter(|session| !session.closed());
        if let Some(session) = done.or_else(|| self.spare(at)) {
            let rename = format!("{}; {}; {question}", sql::rename(name), sql::IDLE_ENDS);
            if let Ok(answer) = session.value(&rename, RENAME).await {
                return Ok((session, answer));
            }
        }
        let session = self.open(at, name).await?;
        let question = format!("{}; {question}", sql::IDLE_ENDS);
        let answer = session.value(&question, self.timeout(at)).await?;
        Ok((session, answer))
    }

    /// Everything that a connection needs, apart from this: it may be made in the background.
    fn dial(
        &self,
        at: &Member,
        name: &str,
    ) -> Result<impl Future<Output = Result<Session, Trouble>> + Send + 'static, Trouble> {
        let missing = || Trouble::NotConnected(format!("{at} is not in the inventory"));
        let cluster = self.settings.clusters.get(&at.resource).ok_or_else(missing)?;
        let (host, port) = cluster.members.get(&at.region).cloned().ok_or_else(missing)?;
        let mut config = Config::new();
        config
            .host(&host)
            .port(port)
            .user(&cluster.user)
            .dbname(&cluster.database)
            .application_name(name)
            .connect_timeout(cluster.connect)
            .keepalives(true)
            .keepalives_idle(Duration::from_secs(10))
            .tcp_user_timeout(Duration::from_secs(10))
            // Server-side limits are the second line: they do not bound a commit that waits for a synchronous standby.
            .options(
                "-c statement_timeout=60s -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s -c jit=off",
            );
        if let Some(password) = &cluster.password {
            config.password(password.expose_secret());
        }
        // The driver only knows whether to use TLS, not what to verify: that is the connector's configuration.
        config.ssl_mode(if cluster.tls.is_some() { SslMode::Require } else { SslMode::Disable });
        let generation = self.generation(at);
        let tls = cluster.tls.as_ref().map(|tls| Connector {
            inner: MakeRustlsConnect::new((**tls).clone()),
            name: cluster.tls_name.clone(),
        });
        let limit = cluster.connect.min(cluster.timeout);
        // A distant or busy cluster gets more, within a bound: writes may be stopped meanwhile.
        let call = cluster.timeout.clamp(CALL, LONGEST);
        Ok(async move {
            let connect = connect(&config, tls.clone());
            match tokio::time::timeout(limit, connect).await {
                Ok(Ok(client)) => Ok(Session { client, tls, generation, prepared: String::new(), call }),
                Ok(Err(error)) => Err(Trouble::NotConnected(connect_error(&host, port, &error))),
                Err(_) => {
                    Err(Trouble::NotConnected(format!("{host}:{port} did not answer within {limit:?}")))
                }
            }
        })
    }
}
