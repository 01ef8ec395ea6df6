//! The steps of a check, each on what the one before it left.

use super::Step;
use super::transport::Transport;
use crate::target::Target;
use crate::words;
use futures_util::{SinkExt, StreamExt};
use redial::cause::{Cause, ProtocolError, SocketError};
use redial_adapter::tls::{failed, server_name, usual};
use redial_adapter::websocket::{cause_of_close, cause_of_stream, failure_of_handshake};
use redial_adapter::{Failure, cause_of_io};
use std::net::SocketAddr;
use std::time::Instant;
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

const PING: Bytes = Bytes::from_static(b"redial check");

/// What there is so far.
pub(super) struct Probe<'a> {
    target: &'a Target,
    request: Option<Request>,
    addresses: Vec<SocketAddr>,
    transport: Option<Transport>,
    socket: Option<WebSocketStream<Transport>>,
}

type Outcome = Result<String, Failure>;

impl<'a> Probe<'a> {
    pub(super) fn new(target: &'a Target, request: Request) -> Self {
        Self {
            target,
            request: Some(request),
            addresses: Vec::new(),
            transport: None,
            socket: None,
        }
    }

    /// Takes one step; each needs those before it.
    pub(super) async fn go(&mut self, step: Step) -> Outcome {
        match step {
            Step::Name => self.name().await,
            Step::Tcp => self.tcp().await,
            Step::Tls => self.tls().await,
            Step::Upgrade => self.upgrade().await,
            Step::RoundTrip => self.round_trip().await,
            Step::Close => self.close().await,
        }
    }

    async fn name(&mut self) -> Outcome {
        let (host, port) = (self.target.host(), self.target.port());
        if let Some(address) = self.target.literal() {
            self.addresses = vec![SocketAddr::new(address, port)];
            return Ok("it is an address already".to_owned());
        }
        let unknown =
            |detail: String| Failure::new(Cause::Socket(SocketError::NameNotFound), detail);
        let found = lookup_host((host, port)).await;
        for address in found.map_err(|error| unknown(error.to_string()))? {
            if !self.addresses.contains(&address) {
                self.addresses.push(address);
            }
        }
        if self.addresses.is_empty() {
            return Err(unknown("the name has no address".to_owned()));
        }
        let texts: Vec<_> = self.addresses.iter().map(|a| a.ip().to_string()).collect();
        Ok(texts.join(", "))
    }

    async fn tcp(&mut self) -> Outcome {
        let mut failures = Vec::new();
        let mut cause = Cause::ConnectTimeout;
        for address in &self.addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // Only latency is lost without it.
                    let _ = stream.set_nodelay(true);
                    self.transport = Some(Transport::new(stream));
                    failures.insert(0, format!("connected to {address}"));
                    return Ok(failures.join("; "));
                }
                Err(error) => {
                    cause = cause_of_io(&error);
                    failures.push(format!("{address}: {error}"));
                }
            }
        }
        Err(Failure::new(cause, failures.join("; ")))
    }

    async fn tls(&mut self) -> Outcome {
        // It trusts whom `redial connect` trusts.
        let config = usual().map_err(failed)?;
        let name = server_name(self.target.host())?;
        let transport = self.transport.take().ok_or_else(missing)?;
        let stream = TlsConnector::from(config).connect(name, transport).await?;
        let session = stream.get_ref().1;
        let version = session.protocol_version().and_then(|v| v.as_str());
        let version = version
            .unwrap_or("TLS")
            .replace('_', ".")
            .replace("TLSv", "TLS ");
        self.transport = Some(Transport::new(stream));
        Ok(format!(
            "{version}, certificate valid for {}",
            self.target.host()
        ))
    }

    async fn upgrade(&mut self) -> Outcome {
        let transport = self.transport.take().ok_or_else(missing)?;
        let request = self.request.take().ok_or_else(missing)?;
        let head = transport.head();
        let (socket, answer) = client_async(request, transport).await.map_err(|error| {
            let head = head.bytes();
            let mut failure = failure_of_handshake(&error, &head);
            if let Error::Http(answer) = &error {
                failure.detail = told(|name| answer.headers().get(name)?.to_str().ok());
            } else if let Cause::Http(_) = failure.closure.cause {
                // An answer that the library can't read, of HTTP/1.0.
                let head = String::from_utf8_lossy(&head);
                failure.detail = told(|name| field(&head, name));
            }
            failure
        })?;
        self.socket = Some(socket);
        let more = told(|name| answer.headers().get(name)?.to_str().ok());
        Ok(["101 switching protocols", &more]
            .join(" ")
            .trim_end()
            .to_owned())
    }

    async fn round_trip(&mut self) -> Outcome {
        let socket = self.socket.as_mut().ok_or_else(missing)?;
        let begun = Instant::now();
        socket.send(Message::Ping(PING)).await.map_err(broken)?;
        let mut others = 0;
        loop {
            match next(socket).await? {
                Message::Pong(payload) if payload == PING => break,
                Message::Close(frame) => return Err(closed(frame)),
                Message::Text(_) | Message::Binary(_) => others += 1,
                _ => {}
            }
        }
        let answered = format!("ping answered after {}", words::time(begun.elapsed()));
        Ok(match others {
            0 => answered,
            _ => format!("{answered}, messages in between: {others}"),
        })
    }

    async fn close(&mut self) -> Outcome {
        let socket = self.socket.as_mut().ok_or_else(missing)?;
        let frame = CloseFrame {
            code: 1000.into(),
            reason: "".into(),
        };
        socket.close(Some(frame)).await.map_err(broken)?;
        loop {
            match next(socket).await? {
                Message::Close(Some(frame)) => {
                    return Ok(format!("answered with {}", u16::from(frame.code)));
                }
                Message::Close(None) => return Ok("answered without a code".to_owned()),
                _ => {}
            }
        }
    }
}

/// What a server says of itself and of what it wants, from the headers of its answer.
fn told<'a>(header: impl Fn(&'static str) -> Option<&'a str>) -> String {
    let names = [
        "server",
        "location",
        "retry-after",
        "sec-websocket-protocol",
    ];
    let told = names
        .into_iter()
        .filter_map(|name| Some(format!("{name}: {}", header(name)?)));
    let told: Vec<_> = told.collect();
    if told.is_empty() {
        String::new()
    } else {
        format!("({})", told.join(", "))
    }
}

/// The value of the first header of a name, in any case.
fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().skip(1).take_while(|line| !line.is_empty());
    fields.find_map(|line| {
        let (known, value) = line.split_once(':')?;
        known.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

async fn next(socket: &mut WebSocketStream<Transport>) -> Result<Message, Failure> {
    match socket.next().await {
        Some(Ok(message)) => Ok(message),
        Some(Err(error)) => Err(broken(error)),
        None => Err(Failure::new(Cause::Lost, "")),
    }
}

fn closed(frame: Option<CloseFrame>) -> Failure {
    let cause = cause_of_close(frame.as_ref());
    Failure::new(cause, frame.map(|frame| frame.reason).unwrap_or_default())
}

fn broken(error: Error) -> Failure {
    Failure::new(cause_of_stream(&error), error)
}

/// A step without the one before it, which is never asked for.
fn missing() -> Failure {
    Failure::new(
        Cause::Protocol(ProtocolError::Frame),
        "there is no connection",
    )
}
