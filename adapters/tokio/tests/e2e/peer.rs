//! A server in the hands of a test, which says in frames what the test wants.

use futures_util::{SinkExt, StreamExt};
use redial::heartbeat::Pulse;
use redial::outbox::Limits;
use redial::session::{Cadence, ServerId, SessionId, Settings};
use redial::wire::{Body, Frame};
use redial::{Delivery, Hello, Welcome};
use redial_tokio::{Handle, Incoming, Message, Protocol, redial, websocket};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;

use super::{LONG, ms, quick, windows};

/// A server of one client at a time, in the hands of a test.
pub(super) struct Server {
    listener: TcpListener,
}

pub(super) struct Peer {
    pub(super) socket: WebSocketStream<TcpStream>,
}

impl Server {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener }
    }

    pub(super) fn url(&self) -> String {
        format!("ws://{}/", self.listener.local_addr().unwrap())
    }

    pub(super) async fn accept(&self) -> Peer {
        let accept = async {
            let (stream, _) = self.listener.accept().await.unwrap();
            tokio_tungstenite::accept_async(stream).await.unwrap()
        };
        let socket = tokio::time::timeout(LONG, accept).await.expect("a dial");
        Peer { socket }
    }

    /// A connection whose hello was answered by a welcome to a new session.
    pub(super) async fn welcome(&self) -> Peer {
        let mut peer = self.accept().await;
        assert_eq!(peer.hello().await.session, None);
        peer.say(Frame::Welcome(fresh())).await;
        peer
    }
}

impl Peer {
    pub(super) async fn say(&mut self, frame: Frame<'_>) {
        self.send(tungstenite::Message::binary(frame.to_vec()))
            .await;
    }

    pub(super) async fn send(&mut self, message: tungstenite::Message) {
        self.socket.send(message).await.unwrap();
    }

    pub(super) async fn hear_any(&mut self) -> tungstenite::Message {
        let heard = tokio::time::timeout(LONG, self.socket.next()).await;
        heard
            .expect("something in time")
            .expect("an open line")
            .unwrap()
    }

    /// The next message, pings aside.
    pub(super) async fn hear(&mut self) -> Vec<u8> {
        loop {
            match self.hear_any().await {
                tungstenite::Message::Ping(_) | tungstenite::Message::Pong(_) => {}
                other => return other.into_data().to_vec(),
            }
        }
    }

    pub(super) async fn hello(&mut self) -> Hello {
        match Frame::parse(&self.hear().await).unwrap() {
            Frame::Hello(hello) => hello,
            other => panic!("{other:?}"),
        }
    }

    /// Sequence or number, and text, of the messages that one of the transport carries.
    pub(super) async fn data(&mut self) -> Vec<String> {
        let heard = self.hear().await;
        let one = |frame: Frame<'_>| match frame {
            Frame::Data { sequence, body, .. } => format!("{sequence}:{}", words(&body)),
            Frame::Intent { number, body } => format!("#{number}:{}", words(&body)),
            other => panic!("{other:?}"),
        };
        match Frame::parse(&heard).unwrap() {
            Frame::Batch(batch) => batch.frames().map(one).collect(),
            other => vec![one(other)],
        }
    }

    pub(super) async fn acknowledged(&mut self) -> u64 {
        match Frame::parse(&self.hear().await).unwrap() {
            Frame::Ack { sequence, .. } => sequence,
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn words(body: &Body<'_>) -> String {
    String::from_utf8_lossy(body.bytes()).into_owned()
}

pub(super) const fn data(sequence: u64, text: &str) -> Frame<'_> {
    Frame::Data {
        sequence,
        resent: false,
        body: Body::Text(text),
    }
}

pub(super) const fn fresh() -> Welcome {
    Welcome {
        session: SessionId::new([1; 16]),
        server: ServerId::new([2; 16]),
        resumed: false,
        last_seen: 0,
        intents: 0,
        first: 1,
    }
}

pub(super) fn settings() -> Settings {
    Settings {
        acks: Cadence {
            delay: ms(50),
            ..Cadence::default()
        },
        intent_backoff: windows(10, 40),
        ..Settings::default()
    }
}

pub(super) fn limits() -> Limits {
    Limits {
        delivery: Delivery::Acknowledged,
        ..Limits::default()
    }
}

pub(super) fn config() -> redial::config::Builder {
    let quiet = Pulse {
        interval: None,
        ..Pulse::default()
    };
    quick()
        .heartbeat(quiet)
        .session(Some(settings()))
        .outbox(limits())
}

pub(super) type Link = (Handle<Message>, Incoming<Message>);

pub(super) fn link(
    server: &Server,
    config: redial::config::Builder,
    protocol: impl Protocol<Message>,
) -> Link {
    websocket(server.url())
        .unwrap()
        .config(config.build().unwrap())
        .protocol(protocol)
        .seed(1)
        .spawn()
}
