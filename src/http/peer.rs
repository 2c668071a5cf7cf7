//! The address that a request comes from: the connection's, or the one that a trusted proxy names.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Request, request::Parts},
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{
    convert::Infallible,
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

/// Added to by each proxy on the way, the nearest last.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Proxies whose `X-Forwarded-For` is believed: addresses and networks, separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    pub(super) fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for TrustedProxies {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let network = |part: &str| {
            part.parse().or_else(|_| part.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
                format!("{part} is no address or network: name them as 10.0.0.0/8, separated by commas")
            })
        };
        named.map(network).collect::<Result<_, _>>().map(Self)
    }
}

impl TryFrom<String> for TrustedProxies {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TrustedProxies> for String {
    fn from(proxies: TrustedProxies) -> Self {
        proxies.to_string()
    }
}

impl fmt::Display for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let networks: Vec<_> = self.0.iter().map(IpNet::to_string).collect();
        f.write_str(&networks.join(","))
    }
}

/// The address of a request's client, if it came over a network. As an extractor it refuses nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub Option<IpAddr>);

impl ClientAddress {
    /// The address that was noted on a request.
    pub fn of(parts: &Parts) -> Self {
        parts.extensions.get().copied().unwrap_or(Self(None))
    }
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

/// Returns the address that a request of a connection comes from.
pub(super) fn address<B>(peer: SocketAddr, request: &Request<B>, trusted: &TrustedProxies) -> IpAddr {
    client(peer.ip().to_canonical(), request.headers(), trusted)
}

/// Goes back from the peer through what trusted proxies have added, to the first address that is none of theirs.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> IpAddr {
    if !trusted.contain(peer) {
        return peer;
    }
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(',').map(str::trim));
    let mut nearest = peer;
    for hop in hops {
        let Some(address) = parse(hop) else { break };
        nearest = address;
        if !trusted.contain(address) {
            break;
        }
    }
    nearest
}

/// An address, also with a port.
fn parse(hop: &str) -> Option<IpAddr> {
    let address = hop.parse().or_else(|_| hop.parse().map(|socket: SocketAddr| socket.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn address(peer: &str, lines: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
        }
        let trusted = "10.0.0.0/8, 192.168.1.1,fd00::/8".parse().unwrap();
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(address("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(address("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &["1.1.1.1, 198.51.100.1, 192.168.1.1"]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &["1.1.1.1", "198.51.100.1:4711,10.2.2.2"]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &["::ffff:198.51.100.1"]), "198.51.100.1");
        assert_eq!(address("fd00::1", &["[2001:db8::1]:80"]), "2001:db8::1");
    }

    #[test]
    fn where_a_header_says_nothing_it_is_the_nearest_that_is_known() {
        assert_eq!(address("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(address("10.0.0.1", &["198.51.100.1, unknown, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(address("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }

    #[test]
    fn proxies_are_named_by_address_or_network() {
        let proxies: TrustedProxies = "10.0.0.0/8, ::1".parse().unwrap();
        assert_eq!(proxies.to_string(), "10.0.0.0/8,::1/128");
        assert!("10.0.0.0/8;::1".parse::<TrustedProxies>().unwrap_err().contains("separated by commas"));
        assert_eq!("".parse(), Ok(TrustedProxies::default()));
    }
}
