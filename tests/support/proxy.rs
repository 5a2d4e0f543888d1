//! A proxy before a PostgreSQL server that loses, holds, delays and cuts on purpose, by what is said in the protocol. Clients speak to it
//! in the clear, so that it understands them; it speaks TLS to the server.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio_rustls::client::TlsStream;

/// How long the server may take to answer a request whose answer is kept back.
const ANSWER: Duration = Duration::from_secs(10);
/// The request for TLS.
const WANTS_TLS: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// The connection is reset, and the server never hears of it.
    ResetBefore,
    /// The server answers, the answer is lost, and the connection is reset: done, and nobody was told.
    ResetAfter,
    /// It arrives, and nothing comes back any more: the connection stays open.
    LoseAnswer,
    /// It is lost, and everything after it in both directions: the connection stays open.
    LoseBefore,
    /// It waits until it is released.
    Hold,
}

/// For whom the door is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Connections are made.
    Open,
    /// Connections are refused.
    Closed,
    /// Connections are taken, and nothing is ever said.
    Mute,
}

struct Rule {
    /// What the text of the message holds: all of it.
    words: Vec<String>,
    deed: Deed,
    /// How often it applies.
    left: usize,
}

#[derive(Default)]
struct Shared {
    rules: Mutex<Vec<Rule>>,
    met: AtomicUsize,
    reached: Notify,
    released: Notify,
}

impl Shared {
    fn deed(&self, message: &[u8]) -> Option<Deed> {
        let mut rules = self.rules.lock().unwrap();
        let text = String::from_utf8_lossy(message);
        let fits =
            |rule: &&mut Rule| rule.left > 0 && rule.words.iter().all(|word| text.contains(word.as_str()));
        let rule = rules.iter_mut().find(fits)?;
        rule.left -= 1;
        self.met.fetch_add(1, Ordering::SeqCst);
        self.reached.notify_one();
        Some(rule.deed)
    }
}

/// A proxy before one server.
pub struct Proxy {
    /// Where it listens.
    pub at: SocketAddr,
    shared: Arc<Shared>,
    door: watch::Sender<Door>,
    /// Connections that are open.
    lines: watch::Sender<Line>,
    task: tokio::task::JoinHandle<()>,
}

/// What happens to connections that are open.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    /// How often all connections that there were have been reset.
    cuts: u32,
    /// Everything is swallowed, in both directions.
    silent: bool,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Before the server at this address, on a free port of the same one.
    pub async fn before(server: SocketAddr, tls: rustls::ClientConfig) -> Self {
        let at = SocketAddr::new(server.ip(), super::pg::free_port());
        let shared = Arc::new(Shared::default());
        let (door, opened) = watch::channel(Door::Open);
        let (lines, line) = watch::channel(Line::default());
        let listener = TcpListener::bind(at).await.unwrap();
        let serving = serve(listener, at, server, Arc::new(tls), Arc::clone(&shared), opened, line);
        Self { at, shared, door, lines, task: tokio::spawn(serving) }
    }

    /// The next message with these words meets this.
    pub fn next(&self, words: &[&str], deed: Deed) {
        self.times(1, words, deed);
    }

    /// The next messages with these words meet this.
    pub fn times(&self, left: usize, words: &[&str], deed: Deed) {
        let words = words.iter().map(ToString::to_string).collect();
        self.shared.rules.lock().unwrap().push(Rule { words, deed, left });
    }

    /// How many messages have met something.
    pub fn met(&self) -> usize {
        self.shared.met.load(Ordering::SeqCst)
    }

    /// Waits until a message has met something; false if none did in time.
    pub async fn reached(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.shared.reached.notified()).await.is_ok()
    }

    /// Lets go of what is held.
    pub fn release(&self) {
        self.shared.released.notify_one();
    }

    /// Connections to come.
    pub fn door(&self, door: Door) {
        self.door.send_replace(door);
    }

    /// Connections that are there are reset.
    pub fn cut(&self) {
        self.lines.send_modify(|line| (line.cuts, line.silent) = (line.cuts + 1, false));
    }

    /// Nothing that is said arrives, in either direction, and nobody is told; connections to come are taken and as silent.
    pub fn silence(&self) {
        self.lines.send_modify(|line| line.silent = true);
        self.door(Door::Mute);
    }

    /// As at the beginning; what was silent is reset.
    pub fn heal(&self) {
        self.shared.rules.lock().unwrap().clear();
        self.shared.met.store(0, Ordering::SeqCst);
        self.cut();
        self.door(Door::Open);
    }
}

async fn serve(
    first: TcpListener,
    at: SocketAddr,
    server: SocketAddr,
    tls: Arc<rustls::ClientConfig>,
    shared: Arc<Shared>,
    mut door: watch::Receiver<Door>,
    line: watch::Receiver<Line>,
) {
    let mut listener = Some(first);
    let mut mute = Vec::new();
    loop {
        let now = *door.borrow_and_update();
        match now {
            Door::Closed => listener = None,
            // Whoever was kept waiting is let go.
            Door::Open => mute.clear(),
            Door::Mute => {}
        }
        if now != Door::Closed && listener.is_none() {
            listener = TcpListener::bind(at).await.ok();
        }
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await.map(|(client, _)| client),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = door.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            client = accepted => {
                let Ok(client) = client else { continue };
                if now == Door::Mute {
                    mute.push(client);
                    continue;
                }
                let (tls, shared, line) = (Arc::clone(&tls), Arc::clone(&shared), line.clone());
                tokio::spawn(async move {
                    // A connection that breaks is what a proxy is for.
                    let _broken = between(client, server, tls, &shared, line).await;
                });
            }
        }
    }
}

async fn between(
    mut client: TcpStream,
    server: SocketAddr,
    tls: Arc<rustls::ClientConfig>,
    shared: &Shared,
    mut line: watch::Receiver<Line>,
) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&WANTS_TLS).await?;
    stream.read_u8().await?;
    let name = rustls::pki_types::ServerName::from(server.ip());
    let stream = tokio_rustls::TlsConnector::from(tls).connect(name, stream).await?;
    let (mut from_server, mut to_server) = tokio::io::split(stream);
    let begin = beginning(&mut client).await?;
    to_server.write_all(&begin).await?;
    let ended = converse(&mut client, &mut from_server, &mut to_server, shared, &mut line).await;
    if let Ok(End::Reset) = ended {
        client.set_zero_linger()?;
    }
    to_server.shutdown().await
}

/// How a conversation ended.
enum End {
    Reset,
    Closed,
}

async fn converse(
    client: &mut TcpStream,
    from_server: &mut ReadHalf<TlsStream<TcpStream>>,
    to_server: &mut WriteHalf<TlsStream<TcpStream>>,
    shared: &Shared,
    line: &mut watch::Receiver<Line>,
) -> std::io::Result<End> {
    let (mut said, mut answered) = (Vec::new(), Vec::new());
    let cuts = line.borrow_and_update().cuts;
    // What is asked, and answered: each question ends with the server being ready again, as does the beginning.
    let (mut asked, mut ready) = (1_usize, 0_usize);
    loop {
        if line.borrow().silent {
            silent(client, line, cuts).await;
            return Ok(End::Reset);
        }
        let mut buffers = ([0_u8; 8192], [0_u8; 8192]);
        tokio::select! {
            changed = line.changed() => {
                if changed.is_err() || line.borrow().cuts != cuts {
                    return Ok(End::Reset);
                }
            }
            read = client.read(&mut buffers.0) => {
                let length = read?;
                if length == 0 {
                    return Ok(End::Closed);
                }
                said.extend_from_slice(&buffers.0[..length]);
                while let Some(message) = first(&mut said) {
                    let question = matches!(message[0], b'Q' | b'S');
                    match shared.deed(&message) {
                        None => {}
                        Some(Deed::ResetBefore) => return Ok(End::Reset),
                        Some(Deed::LoseBefore) => {
                            silent(client, line, cuts).await;
                            return Ok(End::Reset);
                        }
                        Some(Deed::Hold) => {
                            shared.released.notified().await;
                            let now = *line.borrow();
                            if now.silent {
                                silent(client, line, cuts).await;
                            }
                            if now.silent || now.cuts != cuts {
                                return Ok(End::Reset);
                            }
                        }
                        Some(deed @ (Deed::ResetAfter | Deed::LoseAnswer)) => {
                            to_server.write_all(&message).await?;
                            asked += usize::from(question);
                            // Only that it is answered is seen to, not what the answer is.
                            let answer = until_ready(from_server, &mut answered, &mut ready, asked);
                            let _late = tokio::time::timeout(ANSWER, answer).await;
                            if deed == Deed::LoseAnswer {
                                silent(client, line, cuts).await;
                            }
                            return Ok(End::Reset);
                        }
                    }
                    asked += usize::from(question);
                    to_server.write_all(&message).await?;
                }
            }
            read = from_server.read(&mut buffers.1) => {
                let length = read?;
                if length == 0 {
                    return Ok(End::Closed);
                }
                client.write_all(&buffers.1[..length]).await?;
                answered.extend_from_slice(&buffers.1[..length]);
                count(&mut answered, &mut ready);
            }
        }
    }
}

async fn until_ready(
    from_server: &mut ReadHalf<TlsStream<TcpStream>>,
    answered: &mut Vec<u8>,
    ready: &mut usize,
    asked: usize,
) -> std::io::Result<()> {
    let mut buffer = [0_u8; 8192];
    while *ready < asked {
        let length = from_server.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        answered.extend_from_slice(&buffer[..length]);
        count(answered, ready);
    }
    Ok(())
}

/// Takes what the client says and gives nothing, until all connections are cut. That the client goes is not told to the server either,
/// nor the other way round.
async fn silent(client: &mut TcpStream, line: &mut watch::Receiver<Line>, cuts: u32) {
    let mut swallowed = [0_u8; 8192];
    let mut gone = false;
    while line.borrow_and_update().cuts == cuts {
        tokio::select! {
            changed = line.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            read = client.read(&mut swallowed), if !gone => {
                gone = !matches!(read, Ok(length) if length > 0);
            }
        }
    }
}

fn count(answered: &mut Vec<u8>, ready: &mut usize) {
    while let Some(message) = first(answered) {
        *ready += usize::from(message[0] == b'Z');
    }
}

/// The first message, if it is whole.
fn first(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length: [u8; 4] = bytes.get(1..5)?.try_into().ok()?;
    let whole = 1 + usize::try_from(u32::from_be_bytes(length)).ok()?;
    (bytes.len() >= whole).then(|| bytes.drain(..whole).collect())
}

/// The message that a connection begins with, which has no type.
async fn beginning(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    client.read_exact(&mut bytes).await?;
    let length: [u8; 4] = bytes[..].try_into().map_err(std::io::Error::other)?;
    let rest = u32::from_be_bytes(length).saturating_sub(4).min(1 << 16);
    bytes.resize(4 + rest as usize, 0);
    client.read_exact(&mut bytes[4..]).await?;
    Ok(bytes)
}
