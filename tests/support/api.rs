//! A proxy before a web API that fails in ways in which no server fails on demand: after it has done what it was asked, or by saying
//! that it has and not having.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What becomes of every request that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It is passed on, and the answer back.
    Honest,
    /// It is passed on, and answered with an error.
    FailsAfter,
    /// It is passed on, and the connection is closed without an answer.
    ClosesAfter,
    /// It is answered as if it were done, and nobody hears of it.
    Pretends,
    /// It waits until it is released, and is then passed on.
    Holds,
}

struct Shared {
    manner: Mutex<Manner>,
    reached: Notify,
    released: Notify,
}

/// A proxy before one API.
pub struct Api {
    /// Where it listens.
    pub at: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Api {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Api {
    /// Before the API at this address.
    pub async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(SocketAddr::new(server.ip(), 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            manner: Mutex::new(Manner::Honest),
            reached: Notify::new(),
            released: Notify::new(),
        });
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                tokio::spawn(async move {
                    // A connection that breaks is what this is for.
                    let _broken = converse(client, server, &shared).await;
                });
            }
        });
        Self { at, shared, task }
    }

    /// From now on.
    pub fn is(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
    }

    /// Waits until a change is held.
    pub async fn reached(&self, limit: std::time::Duration) -> bool {
        tokio::time::timeout(limit, self.shared.reached.notified()).await.is_ok()
    }

    /// Lets go of what is held.
    pub fn release(&self) {
        self.shared.released.notify_one();
    }
}

async fn converse(mut client: TcpStream, server: SocketAddr, shared: &Shared) -> std::io::Result<()> {
    let Some(request) = request(&mut client).await? else { return Ok(()) };
    let changes = !request.starts_with("GET ");
    let manner = if changes { *shared.manner.lock().unwrap() } else { Manner::Honest };
    if manner == Manner::Holds {
        shared.reached.notify_one();
        shared.released.notified().await;
    }
    let answer = match manner {
        Manner::Pretends => "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".into(),
        Manner::Honest | Manner::FailsAfter | Manner::ClosesAfter | Manner::Holds => {
            let mut upstream = TcpStream::connect(server).await?;
            upstream.write_all(request.as_bytes()).await?;
            let mut answer = Vec::new();
            upstream.read_to_end(&mut answer).await?;
            answer
        }
    };
    let answer = match manner {
        Manner::ClosesAfter => return Ok(()),
        Manner::FailsAfter => {
            "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".into()
        }
        Manner::Honest | Manner::Pretends | Manner::Holds => answer,
    };
    client.write_all(&answer).await?;
    client.shutdown().await
}

/// One request, which the server is asked to close its connection behind.
async fn request(client: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let length = client.read(&mut buffer).await?;
        if length == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&buffer[..length]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |line: &&str, name: &str| line.to_ascii_lowercase().starts_with(name);
        let length = head.lines().find(|line| header(line, "content-length:"));
        let length = length.and_then(|line| line.split_once(':')?.1.trim().parse().ok()).unwrap_or(0);
        if body.len() >= length {
            let kept: Vec<&str> = head.lines().filter(|line| !header(line, "connection:")).collect();
            return Ok(Some(format!("{}\r\nConnection: close\r\n\r\n{body}", kept.join("\r\n"))));
        }
    }
}
