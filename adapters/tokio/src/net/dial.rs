//! From a host name to an open TCP connection.

use std::net::SocketAddr;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redial::Cause;
use redial::cause::SocketError;
use redial_adapter::socket2::SockRef;
use redial_adapter::{STAGGER, in_turns, tune};
use tokio::net::TcpStream;

use crate::connector::{Failure, cause_of_io};

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
    let mut waiting = in_turns(addresses).into_iter();
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
    match TcpStream::connect(address).await {
        Ok(stream) => {
            tune(&SockRef::from(&stream), unsent);
            Ok(stream)
        }
        Err(error) => Err(Failure::new(
            cause_of_io(&error),
            format!("{address}: {error}"),
        )),
    }
}
