//! Between mrctl and a server: what is said waits for the director, and may get lost.

use super::armed::{Deed, Met, Pass};
use super::director::Director;
use crate::lab::error::{FileContext, LabError, Result};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;

/// How long a request that is made later may take.
const LATER: Duration = Duration::from_secs(10);
/// Servers of the lab that one request of a step goes to: a change of a record is a call at each.
const SERVERS: usize = 2;
/// The largest request that is understood, and what is read at once.
const LARGEST: usize = 1 << 16;

fn listening(at: SocketAddr) -> impl Fn(std::io::Error) -> LabError {
    move |error| LabError::Service(format!("listening at {at}: {error}"))
}

/// A proxy for connections.
pub(super) async fn tcp(
    director: &Arc<Director>,
    place: String,
    from: SocketAddr,
    to: SocketAddr,
) -> Result<JoinHandle<()>> {
    let listener = TcpListener::bind(from).await.map_err(listening(from))?;
    let director = Arc::clone(director);
    Ok(tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (director, place) = (Arc::clone(&director), place.clone());
            tokio::spawn(async move {
                // A connection that breaks is what a proxy is for.
                let _broken = between(&director, &place, client, to).await;
            });
        }
    }))
}

/// A proxy for questions of one datagram.
pub(super) async fn udp(
    director: &Arc<Director>,
    place: &str,
    from: SocketAddr,
    to: SocketAddr,
) -> Result<JoinHandle<()>> {
    let socket = Arc::new(UdpSocket::bind(from).await.map_err(listening(from))?);
    let (director, place) = (Arc::clone(director), place.to_owned());
    Ok(tokio::spawn(async move {
        let mut question = vec![0; LARGEST];
        while let Ok((length, asker)) = socket.recv_from(&mut question).await {
            let (director, place, socket) = (Arc::clone(&director), place.clone(), Arc::clone(&socket));
            let question = question[..length].to_vec();
            tokio::spawn(async move {
                if director.pass(&place).await != Pass::Go {
                    return;
                }
                let answered = tokio::time::timeout(LATER, datagram(to, &question)).await;
                if let Ok(Ok(answer)) = answered {
                    let _gone = socket.send_to(&answer, asker).await;
                }
            });
        }
    }))
}

async fn datagram(to: SocketAddr, question: &[u8]) -> std::io::Result<Vec<u8>> {
    let socket = UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
    socket.connect(to).await?;
    socket.send(question).await?;
    let mut answer = vec![0; LARGEST];
    let length = socket.recv(&mut answer).await?;
    answer.truncate(length);
    Ok(answer)
}

async fn between(
    director: &Arc<Director>,
    place: &str,
    mut client: TcpStream,
    to: SocketAddr,
) -> std::io::Result<()> {
    let mut server = TcpStream::connect(to).await?;
    let (mut said, mut answered) = (vec![0; LARGEST], vec![0; LARGEST]);
    // What becomes of the answer to the change that was forwarded.
    let mut met = None;
    loop {
        tokio::select! {
            read = client.read(&mut said) => {
                let length = read?;
                if length == 0 {
                    return Ok(());
                }
                match director.pass(place).await {
                    Pass::Go => {}
                    Pass::Swallow => continue,
                    Pass::Close => return Ok(()),
                }
                let mut request = said[..length].to_vec();
                if request.starts_with(b"PATCH ") {
                    whole(&mut client, &mut request).await?;
                    met = director.called(Some(SERVERS)).await;
                }
                match &met {
                    Some(Met::Refused) => return refuse(&mut client).await,
                    Some(Met::LostNotDone) => return Ok(()),
                    Some(Met::Late(late)) => {
                        director.later(*late, Deed::Request(to, request)).await;
                        return Ok(());
                    }
                    Some(Met::LostDone | Met::Killed) | None => server.write_all(&request).await?,
                }
            }
            read = server.read(&mut answered) => {
                let length = read?;
                if length == 0 {
                    return Ok(());
                }
                match &met {
                    Some(Met::Killed) => {
                        director.kill().await;
                        return Ok(());
                    }
                    Some(_) => return Ok(()),
                    None if director.silent(place).await => {}
                    None => client.write_all(&answered[..length]).await?,
                }
            }
        }
    }
}

/// Reads on until the request is whole.
async fn whole(client: &mut TcpStream, request: &mut Vec<u8>) -> std::io::Result<()> {
    let mut more = vec![0; LARGEST];
    loop {
        let head = request.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
        if let Some(head) = head {
            let fields = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
            let length =
                fields.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            if request.len() >= head + length.unwrap_or(0_usize) {
                return Ok(());
            }
        }
        match client.read(&mut more).await? {
            0 => return Ok(()),
            length => request.extend_from_slice(&more[..length]),
        }
    }
}

async fn refuse(client: &mut TcpStream) -> std::io::Result<()> {
    let why = r#"{"error":"refused on the stage"}"#;
    let answer = format!(
        "HTTP/1.1 422 Unprocessable Entity\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{why}",
        why.len()
    );
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await
}

/// Makes a request that was kept, and waits until it is answered.
pub(super) async fn send(server: SocketAddr, request: &[u8]) -> Result<()> {
    let what = server.to_string();
    let made = async {
        let mut stream = TcpStream::connect(server).await?;
        stream.write_all(request).await?;
        let mut answer = [0; 1024];
        stream.read(&mut answer).await
    };
    let made = tokio::time::timeout(LATER, made).await;
    let made = made.map_err(|_| LabError::Service(format!("{what} did not answer a late request")))?;
    made.map(drop).on("asking", Path::new(&what))
}
