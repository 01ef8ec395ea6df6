//! From a host name to an open TCP connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redial::Cause;
use redial::cause::SocketError;
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::connector::{Failure, cause_of_io};

/// How long an address is tried before the next one is tried beside it (RFC 8305 section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// Connects to the first address of `host` that answers, trying them in turns of families.
///
/// The kernel holds at most about `unsent` bytes that it has not sent yet, so that pings don't
/// wait behind more than that.
pub(crate) async fn dial(host: &str, port: u16, unsent: usize) -> Result<TcpStream, Failure> {
    let host = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    let not_found = |why: &dyn std::fmt::Display| {
        let cause = Cause::Socket(SocketError::NameNotFound);
        Failure::new(cause, format!("{host}: {why}"))
    };
    let addresses = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| not_found(&error))?;
    let mut waiting = in_turns(addresses.collect()).into_iter();
    let mut trying = FuturesUnordered::new();
    let mut failed = None;
    loop {
        let last = match waiting.next() {
            Some(address) => {
                trying.push(connect(address, unsent));
                waiting.len() == 0
            }
            None => true,
        };
        let result = if last {
            trying.next().await
        } else {
            match tokio::time::timeout(STAGGER, trying.next()).await {
                Ok(result) => result,
                Err(_) => continue,
            }
        };
        match result {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(failure)) => failed = Some(failure),
            None if last => break,
            None => {}
        }
    }
    Err(failed.unwrap_or_else(|| not_found(&"no address")))
}

async fn connect(address: SocketAddr, unsent: usize) -> Result<TcpStream, Failure> {
    let connected = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        bound(&stream, unsent)?;
        Ok::<_, io::Error>(stream)
    };
    connected
        .await
        .map_err(|error| Failure::new(cause_of_io(&error), format!("{address}: {error}")))
}

/// Bounds the bytes that wait in the kernel.
fn bound(stream: &TcpStream, unsent: usize) -> io::Result<()> {
    let socket = SockRef::from(stream);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // Bytes under way don't count, so a long fat line can still be filled.
        socket.set_tcp_notsent_lowat(u32::try_from(unsent).unwrap_or(u32::MAX))
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        socket.set_send_buffer_size(unsent)
    }
}

/// The addresses with IPv6 and IPv4 in turns, beginning with the family of the first.
fn in_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut second = second.into_iter();
    let mut turns = Vec::new();
    for address in first {
        turns.push(address);
        turns.extend(second.next());
    }
    turns.extend(second);
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let parse = |list: &[&str]| -> Vec<SocketAddr> {
            list.iter()
                .map(|text| text.parse().unwrap_or_else(|_| panic!("{text}")))
                .collect()
        };
        let turns = in_turns(parse(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]));
        assert_eq!(
            turns,
            parse(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"])
        );
        assert_eq!(in_turns(Vec::new()), Vec::new());
    }
}
