//! Hosts, addresses, names and URLs as an inventory may write them: nothing that could mean something else to a driver.

use std::net::{IpAddr, SocketAddr};

/// A DNS name of hosts: labels of letters, digits, `-` and `_`, joined by dots.
fn is_labels(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Resolvers read a name whose last label is a number as an IPv4 address in an old form: `10.1` is 10.0.0.1, `5432` is
/// 0.0.21.56 (`inet_aton`).
fn ends_in_a_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => last.bytes().all(|b| b.is_ascii_digit()),
    }
}

/// A name of a host that no resolver takes for an address.
fn is_host_name(name: &str) -> bool {
    is_labels(name) && !ends_in_a_number(name)
}

/// A host name or address, without port; or the absolute path of a Unix socket's folder.
///
/// # Errors
/// Why it is none.
pub fn host(text: &str) -> Result<(), String> {
    let socket = text.starts_with('/') && !text.chars().any(char::is_control);
    if socket || text.parse::<IpAddr>().is_ok() || is_host_name(text.strip_suffix('.').unwrap_or(text)) {
        Ok(())
    } else if let Some((name, port)) = text.rsplit_once(':')
        && host(name).is_ok()
        && port.parse::<u16>().is_ok()
    {
        Err(format!(
            "`{text}` has its port within the host: it stands beside it, `host: {name}, port: {port}`"
        ))
    } else {
        Err(format!("`{text}` is neither a host name nor an address"))
    }
}

/// A host with or without port; an IPv6 address with port stands in brackets.
///
/// # Errors
/// Why it is none.
pub fn host_and_port(text: &str) -> Result<(), String> {
    if !text.starts_with('/') && (host(text).is_ok() || text.parse::<SocketAddr>().is_ok()) {
        return Ok(());
    }
    match text.rsplit_once(':') {
        Some((name, port)) if is_host_name(name) && port.parse::<u16>().is_ok_and(|port| port > 0) => Ok(()),
        _ => Err(format!("`{text}` is not `host` or `host:port`")),
    }
}

/// An address with or without port.
///
/// # Errors
/// Why it is none.
pub fn ip_and_port(text: &str) -> Result<(), String> {
    if text.parse::<IpAddr>().is_ok() || text.parse::<SocketAddr>().is_ok_and(|address| address.port() > 0) {
        Ok(())
    } else {
        Err(format!(
            "`{text}` is not `address` or `address:port`; a name would ask the DNS that is being moved"
        ))
    }
}

/// A full name with its final dot, at most one `*` label in front.
///
/// # Errors
/// Why it is none.
pub fn domain(text: &str) -> Result<(), String> {
    let Some(name) = text.strip_suffix('.') else {
        return Err(format!("`{text}` does not end with a dot"));
    };
    if is_labels(name.strip_prefix("*.").unwrap_or(name)) {
        Ok(())
    } else {
        Err(format!("`{text}` is not a DNS name"))
    }
}

/// An `http` or `https` address without user and password. `${…}` may stand behind the host.
///
/// # Errors
/// Why it is none.
pub fn url(text: &str) -> Result<(), String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else {
        return Err(format!("`{text}` does not begin with `https://` or `http://`"));
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        // The text is not repeated: what stands before the `@` may be a password.
        return Err("the address contains a user or password; give secrets by reference".to_owned());
    }
    let literal = authority.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    let fine = match literal {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host_and_port(authority).is_ok(),
    };
    if !fine {
        return Err(format!("`{text}` has no valid host"));
    }
    if path.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!("`{text}` contains a blank or control character"));
    }
    Ok(())
}

/// Whether an address is not encrypted and leaves this host.
pub fn is_open(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let is_loopback = |text: &str| text.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => authority,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name != "localhost" && !is_loopback(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_resolvers_take_for_an_address_is_no_name() {
        for number in
            ["5432", "0.1.2", "10.0.0", "192.0.2.256", "192.0.2.10.", "0x7f.1", "0x7f000001", "a.1", "1"]
        {
            assert!(host(number).is_err() && host_and_port(&format!("{number}:5432")).is_err(), "{number}");
        }
        for name in ["192.0.2.10", "1.example.com", "db-1", "1a", "0xa.example.com.", "0x.example", "1_000"] {
            assert!(host(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn hosts_are_names_addresses_or_socket_folders() {
        for fine in ["pg.eu.example.com", "192.0.2.1", "2001:db8::1", "db_1", "localhost.", "/run/postgresql"]
        {
            assert_eq!(host(fine), Ok(()), "{fine}");
        }
        for wrong in ["", "a b", "host:5432", "-a", "a..b", "x\u{1b}[2J", "a,b", "user@host", "host=evil"] {
            assert!(host(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn ports_are_numbers_above_zero() {
        for fine in ["ns1.example.com:53", "192.0.2.1:5353", "[2001:db8::1]:53", "ns1"] {
            assert_eq!(host_and_port(fine), Ok(()), "{fine}");
        }
        for wrong in ["ns1:0", "ns1:99999", "ns1:", ":53", "a:b:c", "/tmp"] {
            assert!(host_and_port(wrong).is_err(), "{wrong}");
        }
        assert_eq!(ip_and_port("192.0.2.10:8443"), Ok(()));
        assert!(ip_and_port("www.example.com").is_err());
    }

    #[test]
    fn domains_end_with_a_dot() {
        assert_eq!(domain("www.example.com."), Ok(()));
        assert_eq!(domain("*.example.com."), Ok(()));
        for wrong in ["www.example.com", ".", "", "a b.", "a..b."] {
            assert!(domain(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn urls_have_a_host_and_no_password() {
        for fine in
            ["https://a.example.com", "http://127.0.0.1:8081/x?y=1", "https://[::1]/", "https://a/${region}"]
        {
            assert_eq!(url(fine), Ok(()), "{fine}");
        }
        for wrong in ["ftp://a", "https://", "https:///x", "https://a b/", "https://a/ b", "http://a:b/"] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
        let message = url("https://admin:hunter2@example.com/").unwrap_err();
        assert!(!message.contains("hunter2"));
    }

    #[test]
    fn only_loopback_may_be_open() {
        assert!(is_open("http://pdns.example.com:8081"));
        for fine in ["https://a", "http://localhost:1/", "http://127.0.0.1:8081/x", "http://[::1]:8081"] {
            assert!(!is_open(fine), "{fine}");
        }
    }
}
