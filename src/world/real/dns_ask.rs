//! Questions to one authoritative server by DNS: the truth that users see.
//!
//! A small question without EDNS over UDP, a new socket and a random identity each time; TCP when the answer was cut or did not
//! come. Answers without the authoritative bit do not count (RFC 1034, section 4.3.1).

use domain::base::iana::Rcode;
use domain::base::{Message, MessageBuilder, Name, Rtype};
use domain::rdata::{A, Aaaa, Cname};
use futures_util::StreamExt as _;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr as _;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

/// How long one TCP exchange may take; an answer by UDP has half of it.
pub const PATIENCE: Duration = Duration::from_millis(2_000);
/// Questions that are under way at once.
const TOGETHER: usize = 24;

/// What a sample of questions was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// How often each answer came.
    pub counts: BTreeMap<String, u32>,
}

/// Asks `count` times.
///
/// # Errors
/// The first reason in words, when any of the questions got no authoritative answer: part of a sample is no sample.
pub async fn sample(
    server: SocketAddr,
    domain: &str,
    kind: &str,
    count: usize,
    patience: Duration,
) -> Result<Sample, String> {
    let questions = (0..count).map(|_| ask(server, domain, kind, patience));
    let mut answers = futures_util::stream::iter(questions).buffer_unordered(TOGETHER);
    let mut counts = BTreeMap::new();
    while let Some(answer) = answers.next().await {
        for target in answer? {
            *counts.entry(target).or_insert(0) += 1;
        }
    }
    Ok(Sample { counts })
}

/// Asks once. A name without such records is an empty list, which is an answer.
///
/// # Errors
/// In words: no answer by UDP and TCP, `SERVFAIL`, `REFUSED`, an answer without authority.
pub async fn ask(
    server: SocketAddr,
    domain: &str,
    kind: &str,
    patience: Duration,
) -> Result<Vec<String>, String> {
    let (question, rtype) = question(domain, kind)?;
    let by_udp = match tokio::time::timeout(patience / 2, udp(server, &question)).await {
        Ok(Ok(answer)) if !answer.header().tc() => Some(answer),
        Ok(Ok(_) | Err(_)) | Err(_) => None,
    };
    let answer = match by_udp {
        Some(answer) => answer,
        None => match tokio::time::timeout(patience, tcp(server, &question)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(format!("no DNS answer from {server}: {error}")),
            Err(_) => return Err(format!("no DNS answer from {server} by UDP and TCP")),
        },
    };
    read(&answer, rtype)
}

fn question(domain: &str, kind: &str) -> Result<(Message<Vec<u8>>, Rtype), String> {
    let rtype = match kind {
        "A" => Rtype::A,
        "AAAA" => Rtype::AAAA,
        "CNAME" => Rtype::CNAME,
        other => return Err(format!("{other} records cannot be asked for")),
    };
    let name =
        Name::<Vec<u8>>::from_str(domain).map_err(|error| format!("`{domain}` is no name: {error}"))?;
    let mut message = MessageBuilder::new_vec();
    message.header_mut().set_random_id();
    let mut message = message.question();
    message.push((name, rtype)).map_err(|error| error.to_string())?;
    Ok((message.into_message(), rtype))
}

async fn udp(server: SocketAddr, question: &Message<Vec<u8>>) -> std::io::Result<Message<Vec<u8>>> {
    let any = if server.is_ipv4() {
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
    } else {
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(question.as_slice()).await?;
    let mut buffer = vec![0; 4096];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // A stray or forged datagram is not the answer: go on waiting for it.
        if let Ok(message) = Message::from_octets(buffer[..length].to_vec())
            && message.is_answer(question)
        {
            return Ok(message);
        }
    }
}

async fn tcp(server: SocketAddr, question: &Message<Vec<u8>>) -> std::io::Result<Message<Vec<u8>>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.as_slice().len()).map_err(std::io::Error::other)?;
    let framed = [&length.to_be_bytes()[..], question.as_slice()].concat();
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut buffer = vec![0; usize::from(length)];
    stream.read_exact(&mut buffer).await?;
    match Message::from_octets(buffer) {
        Ok(message) if message.is_answer(question) => Ok(message),
        _ => Err(std::io::Error::other("the answer does not belong to the question")),
    }
}

fn read(answer: &Message<Vec<u8>>, rtype: Rtype) -> Result<Vec<String>, String> {
    match answer.header().rcode() {
        Rcode::NOERROR | Rcode::NXDOMAIN => {}
        other => return Err(format!("the server answers {other}")),
    }
    if !answer.header().aa() {
        return Err("the server answers without authority for the name".into());
    }
    let records = answer.answer().map_err(|error| format!("the answer cannot be read: {error}"))?;
    let mut targets = Vec::new();
    if rtype == Rtype::A {
        for record in records.limit_to_in::<A>() {
            targets.push(record.map_err(|error| error.to_string())?.data().addr().to_string());
        }
    } else if rtype == Rtype::AAAA {
        for record in records.limit_to_in::<Aaaa>() {
            targets.push(record.map_err(|error| error.to_string())?.data().addr().to_string());
        }
    } else {
        for record in records.limit_to_in::<Cname<_>>() {
            let record = record.map_err(|error| error.to_string())?;
            targets
                .push(crate::world::record_content::canonical("CNAME", &record.data().cname().to_string()));
        }
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_differ_from_question_to_question() {
        let ids: std::collections::BTreeSet<_> =
            (0..20).map(|_| question("www.example.com.", "A").unwrap().0.header().id()).collect();
        assert!(ids.len() > 10);
    }

    #[test]
    fn an_answer_without_authority_or_with_a_failure_does_not_count() {
        let (asked, rtype) = question("www.example.com.", "A").unwrap();
        let answer = |rcode: Rcode, aa: bool| {
            let mut message = MessageBuilder::new_vec().start_answer(&asked, rcode).unwrap();
            message.header_mut().set_aa(aa);
            message
                .push((
                    Name::<Vec<u8>>::from_str("www.example.com.").unwrap(),
                    60,
                    A::from_octets(192, 0, 2, 10),
                ))
                .unwrap();
            message.into_message()
        };
        assert_eq!(read(&answer(Rcode::NOERROR, true), rtype), Ok(vec!["192.0.2.10".to_owned()]));
        assert!(read(&answer(Rcode::NOERROR, false), rtype).unwrap_err().contains("authority"));
        assert!(read(&answer(Rcode::SERVFAIL, true), rtype).unwrap_err().contains("SERVFAIL"));
    }
}
