//! Free ports. Each is held open until the moment its server starts, so that labs side by side do not meet.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};

use serde::{Deserialize, Serialize};

use super::Region;
use super::error::{LabError, Result};
use super::secrets::random_bytes;

/// The ports of one lab: the same number in both regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// PostgreSQL.
    pub postgres: u16,
    /// PowerDNS, UDP and TCP.
    pub dns: u16,
    /// The HTTP API of PowerDNS.
    pub dns_api: u16,
    /// Redis.
    pub redis: u16,
    /// The application, plain HTTP.
    pub app: u16,
    /// The application, HTTPS.
    pub app_tls: u16,
    /// The receiver of notifications, on 127.0.0.1.
    pub receiver: u16,
}

/// Sockets that keep the ports ours; dropping one frees its port.
pub(crate) struct Held {
    pub(crate) ports: Ports,
    held: Vec<(u16, Socket)>,
}

#[expect(dead_code, reason = "held only to keep the port")]
enum Socket {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

/// Below the range from which Linux gives ports to outgoing connections (32768 and up), so that no client is in the way.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

impl Held {
    /// Finds seven ports that are free on both regions' addresses.
    pub(crate) fn find() -> Result<Self> {
        let mut held = Vec::new();
        let mut next = || -> Result<u16> {
            for _ in 0..500 {
                let random = u16::from_le_bytes(random_bytes::<2>()?);
                let port = RANGE.start + random % (RANGE.end - RANGE.start);
                if let Ok(sockets) = hold(port) {
                    held.extend(sockets.into_iter().map(|socket| (port, socket)));
                    return Ok(port);
                }
            }
            Err(LabError::Refused("no free port found between 20000 and 32000".into()))
        };
        let ports = Ports {
            postgres: next()?,
            dns: next()?,
            dns_api: next()?,
            redis: next()?,
            app: next()?,
            app_tls: next()?,
            receiver: next()?,
        };
        Ok(Self { ports, held })
    }

    /// Frees a port, right before its server starts.
    pub(crate) fn release(&mut self, port: u16) {
        self.held.retain(|(held, _)| *held != port);
    }
}

fn hold(port: u16) -> std::io::Result<Vec<Socket>> {
    let mut sockets = Vec::new();
    for address in [Ipv4Addr::LOCALHOST, Region::EuWest.address(), Region::UsEast.address()] {
        sockets.push(Socket::Tcp(TcpListener::bind(SocketAddrV4::new(address, port))?));
        sockets.push(Socket::Udp(UdpSocket::bind(SocketAddrV4::new(address, port))?));
    }
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_labs_hold_different_ports() {
        let (one, two) = (Held::find().unwrap(), Held::find().unwrap());
        assert_ne!(one.ports.postgres, two.ports.postgres);
        assert!(hold(one.ports.dns).is_err());
    }

    #[test]
    fn a_released_port_is_free() {
        let mut held = Held::find().unwrap();
        let port = held.ports.redis;
        held.release(port);
        assert!(hold(port).is_ok());
    }
}
