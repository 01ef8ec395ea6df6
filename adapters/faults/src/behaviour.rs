//! What a server does with a connection.

use std::time::Duration;

/// What a server does with a connection, from its acceptance on.
///
/// Durations count from the moment the connection is open, that is after the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Behaviour {
    /// Sends every data message back.
    Echo,
    /// Reads and counts, and sends nothing but answers to pings.
    Sink,
    /// Opens, and then neither reads nor answers: a frozen process.
    Ignore,
    /// Reads and counts, then closes with a close frame.
    CloseWith {
        /// The close code; 1005 stands for a close frame without a code. On framed TCP it has neither code nor reason.
        code: u16,
        /// The reason that goes with it.
        reason: String,
        /// How long the connection stays open.
        after: Duration,
    },
    /// Reads and counts, then ends with a FIN and no close frame.
    DropAfter {
        /// How long the connection stays open.
        after: Duration,
        /// Whether one text message is sent on opening.
        greet: bool,
    },
    /// Echoes, then ends with a FIN and no close frame.
    EchoThenDrop {
        /// How long the connection stays open.
        after: Duration,
    },
    /// Refuses the handshake with an HTTP answer. Framed TCP: the same bytes, then a FIN.
    Http {
        /// The HTTP status.
        status: u16,
        /// Further header lines, such as `Retry-After`.
        headers: Vec<(String, String)>,
    },
    /// Sends these bytes instead of an answer to the handshake, then a FIN.
    Garbage(Vec<u8>),
    /// Asks for a bearer token before anything else.
    ///
    /// The token is taken from the header `Authorization: Bearer ..`, or without one from the
    /// query parameter `token`. Framed TCP has no request and is never authorized.
    Authorize {
        /// The token that is accepted.
        token: String,
        /// The HTTP status for any other.
        otherwise: u16,
        /// What is done with those who have it.
        then: Box<Behaviour>,
    },
    /// Sends these on opening, then echoes.
    SendFirst(Vec<Frame>),
}

/// Something that a server sends of its own accord.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// Bytes as they are, for frames that a correct server would never send.
    Raw(Vec<u8>),
}

/// What [`Behaviour`] comes down to once the request is known.
#[derive(Clone, Debug)]
pub(crate) enum Plan {
    /// Refuse with this HTTP status and these headers.
    Refuse(u16, Vec<(String, String)>),
    /// Send these bytes and end.
    Bytes(Vec<u8>),
    /// Open the connection, send these, and follow the script.
    Open(Vec<Frame>, Script),
}

/// What is done with an open connection.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) read: bool,
    pub(crate) echo: bool,
    pub(crate) end: Option<(Duration, End)>,
}

/// How a script ends its connection.
#[derive(Clone, Debug)]
pub(crate) enum End {
    Close(u16, String),
    Drop,
}

impl Behaviour {
    pub(crate) fn plan(&self, bearer: Option<&str>) -> Plan {
        let open = |read, echo, end| Plan::Open(Vec::new(), Script { read, echo, end });
        match self {
            Self::Echo => open(true, true, None),
            Self::Sink => open(true, false, None),
            Self::Ignore => open(false, false, None),
            Self::CloseWith {
                code,
                reason,
                after,
            } => open(
                true,
                false,
                Some((*after, End::Close(*code, reason.clone()))),
            ),
            Self::DropAfter { after, greet } => {
                let greeting = greet.then(|| Frame::Text("hello".to_owned()));
                let script = Script {
                    read: true,
                    echo: false,
                    end: Some((*after, End::Drop)),
                };
                Plan::Open(greeting.into_iter().collect(), script)
            }
            Self::EchoThenDrop { after } => open(true, true, Some((*after, End::Drop))),
            Self::Http { status, headers } => Plan::Refuse(*status, headers.clone()),
            Self::Garbage(bytes) => Plan::Bytes(bytes.clone()),
            Self::Authorize { token, then, .. } if bearer == Some(token) => then.plan(bearer),
            Self::Authorize { otherwise, .. } => Plan::Refuse(*otherwise, Vec::new()),
            Self::SendFirst(frames) => Plan::Open(
                frames.clone(),
                Script {
                    read: true,
                    echo: true,
                    end: None,
                },
            ),
        }
    }
}
