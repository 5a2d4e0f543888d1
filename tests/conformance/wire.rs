//! The line to a real server, which can lose an answer, lose a request, or hold one back until later.

use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lose {
    /// It arrives, and its answer does not.
    Answer,
    /// It does not arrive.
    Request,
    /// What comes before the last command that holds the words arrives, and no answer does.
    Half,
    /// It arrives only when [`Wire::release`] says so, and its answer does not.
    UntilLater,
}

/// What the next request that holds these words meets.
type Next = Arc<Mutex<Option<(&'static str, Lose)>>>;

/// A line to a port of this machine.
pub struct Wire {
    pub port: u16,
    next: Next,
    released: watch::Sender<bool>,
}

impl Wire {
    /// Everything goes through.
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (released, _) = watch::channel(false);
        let next = Next::default();
        let (shared, later) = (Arc::clone(&next), released.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await {
                    tokio::spawn(converse(client, server, Arc::clone(&shared), later.subscribe()));
                }
            }
        });
        Self { port, next, released }
    }

    /// The next request that holds these words meets this, and its connection ends with it.
    pub fn lose(&self, words: &'static str, how: Lose) {
        *self.next.lock().unwrap() = Some((words, how));
    }

    /// What was held back arrives.
    pub fn release(&self) {
        self.released.send_replace(true);
    }
}

/// Both ways, until one side ends it or a request meets what was asked for.
async fn converse(mut client: TcpStream, mut server: TcpStream, next: Next, released: watch::Receiver<bool>) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            length = client.read(&mut asked) => {
                let Ok(length @ 1..) = length else { return };
                if let Some((words, how)) = meets(&next, &asked[..length]) {
                    // The client hears no more, and knows it.
                    drop(client);
                    let arrives = match how {
                        Lose::Half => last_command(&asked[..length], words),
                        Lose::Answer | Lose::Request | Lose::UntilLater => length,
                    };
                    return arrive(how, &asked[..arrives], server, released).await;
                }
                if server.write_all(&asked[..length]).await.is_err() {
                    return;
                }
            }
            length = server.read(&mut answered) => {
                let Ok(length @ 1..) = length else { return };
                if client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn meets(next: &Next, request: &[u8]) -> Option<(&'static str, Lose)> {
    let mut next = next.lock().unwrap();
    let (words, how) = (*next)?;
    let found = request.windows(words.len()).any(|window| window == words.as_bytes());
    found.then(|| {
        *next = None;
        (words, how)
    })
}

/// Where the last command that holds these words begins: in Redis' protocol at a `*`, in PostgreSQL's at a byte that is followed by the
/// message's length.
fn last_command(request: &[u8], words: &str) -> usize {
    let at = request.windows(words.len()).rposition(|window| window == words.as_bytes()).unwrap();
    if request[0] == b'*' {
        return request[..at].iter().rposition(|byte| *byte == b'*').unwrap();
    }
    let mut begin = 0;
    loop {
        let length: [u8; 4] = request[begin + 1..begin + 5].try_into().unwrap();
        let end = begin + 1 + u32::from_be_bytes(length) as usize;
        if end > at {
            return begin;
        }
        begin = end;
    }
}

/// The request arrives, or does not; its answer is for nobody.
async fn arrive(how: Lose, request: &[u8], mut server: TcpStream, mut released: watch::Receiver<bool>) {
    match how {
        Lose::Request => return,
        Lose::Answer | Lose::Half => {}
        Lose::UntilLater => drop(released.wait_for(|released| *released).await),
    }
    if server.write_all(request).await.is_ok() {
        // Ended before it has answered, the server could take it for withdrawn.
        let _ = server.read(&mut [0; 1 << 12]).await;
    }
}
