//! The smallest resolver that behaves like a user's: one question by UDP, an answer kept for its time to live.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::{Duration, Instant};

use domain::base::iana::Rcode;
use domain::base::{Message, MessageBuilder, Name, Rtype};
use domain::rdata::A;

use super::error::{LabError, Result};

/// The addresses of a name, and for how long they may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// In the order of the answer; empty when the name has none.
    pub addresses: Vec<Ipv4Addr>,
    /// The shortest time to live among them.
    pub ttl: Duration,
}

/// Asks one server for the addresses of a name, with half a second of patience.
pub async fn ask(server: SocketAddr, name: &str) -> Result<Answer> {
    let problem = |error: &dyn std::fmt::Display| LabError::Dns(format!("{server}: {error}"));
    let question: Name<Vec<u8>> = Name::from_str(name).map_err(|error| problem(&error))?;
    let mut query = MessageBuilder::new_vec();
    query.header_mut().set_random_id();
    let mut query = query.question();
    query.push((&question, Rtype::A)).map_err(|error| problem(&error))?;
    let query = query.into_message();
    let socket =
        tokio::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.map_err(|error| problem(&error))?;
    socket.connect(server).await.map_err(|error| problem(&error))?;
    socket.send(query.as_slice()).await.map_err(|error| problem(&error))?;
    let mut buffer = [0_u8; 1232];
    let reply = async {
        loop {
            let length = socket.recv(&mut buffer).await.map_err(|error| problem(&error))?;
            let message = Message::from_octets(buffer[..length].to_vec()).map_err(|error| problem(&error))?;
            if message.is_answer(&query) {
                return Ok(message);
            }
        }
    };
    let message = tokio::time::timeout(Duration::from_millis(500), reply)
        .await
        .map_err(|_| problem(&"no answer within 500 ms"))??;
    if message.header().rcode() != Rcode::NOERROR {
        return Err(problem(&message.header().rcode()));
    }
    let mut answer = Answer { addresses: Vec::new(), ttl: Duration::MAX };
    for record in message.answer().map_err(|error| problem(&error))?.limit_to::<A>() {
        let record = record.map_err(|error| problem(&error))?;
        answer.addresses.push(record.data().addr());
        answer.ttl = answer.ttl.min(Duration::from_secs(record.ttl().as_secs().into()));
    }
    Ok(answer)
}

/// Asks the servers in turn and keeps answers. An old answer is never used past its time, even when nobody answers.
#[derive(Debug)]
pub struct Resolver {
    servers: Vec<SocketAddr>,
    next: usize,
    cache: HashMap<String, (Answer, Instant)>,
}

impl Resolver {
    /// Asks `servers`, beginning with the one at `first`.
    pub fn new(servers: Vec<SocketAddr>, first: usize) -> Self {
        Self { servers, next: first, cache: HashMap::new() }
    }

    /// The first address of a name.
    pub async fn address(&mut self, name: &str) -> Result<Ipv4Addr> {
        let none = || LabError::Dns(format!("{name} has no address"));
        if let Some((answer, until)) = self.cache.get(name)
            && Instant::now() < *until
        {
            return answer.addresses.first().copied().ok_or_else(none);
        }
        let mut failure = none();
        for _ in 0..self.servers.len() {
            let server = self.servers[self.next % self.servers.len()];
            match ask(server, name).await {
                Ok(answer) => {
                    let first = answer.addresses.first().copied();
                    if first.is_some() {
                        let until = Instant::now() + answer.ttl.min(Duration::from_secs(3600));
                        self.cache.insert(name.to_owned(), (answer, until));
                    }
                    return first.ok_or_else(none);
                }
                Err(error) => {
                    failure = error;
                    self.next += 1;
                }
            }
        }
        Err(failure)
    }
}
