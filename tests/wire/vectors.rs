//! The published vectors, from bytes to meaning and from meaning to bytes.

use std::collections::BTreeSet;
use std::num::NonZero;

use redial::session::{Hello, ServerId, SessionId, Welcome};
use redial::wire::{Batch, Body, CloseCode, Detail, Frame, Refusal};

const VECTORS: &str = include_str!("vectors.txt");

/// The columns of every line of this sort.
fn lines(sort: &str) -> Vec<Vec<&'static str>> {
    let lines = VECTORS.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|columns| columns[0] == sort)
        .collect()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter(|c| *c != ' ').collect();
    assert_eq!(digits.len() % 2, 0, "{text}");
    let pair = |pair: &[char]| pair.iter().collect::<String>();
    let byte = |text: String| u8::from_str_radix(&text, 16).expect("hex");
    digits.chunks(2).map(pair).map(byte).collect()
}

/// The meaning of a vector, word by word.
struct Meaning<'a>(&'a str);

impl<'a> Meaning<'a> {
    fn kind(&self) -> &'a str {
        self.0.split(' ').next().unwrap_or_default()
    }

    fn flag(&self, name: &str) -> bool {
        self.0.split(' ').any(|word| word == name)
    }

    fn find(&self, name: &str) -> Option<&'a str> {
        let mut words = self.0.split(' ');
        words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    fn field(&self, name: &str) -> &'a str {
        self.find(name)
            .unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }

    fn number(&self, name: &str) -> u64 {
        self.field(name).parse().expect("a number")
    }

    fn byte(&self, name: &str) -> u8 {
        self.field(name).parse().expect("a byte")
    }

    fn name(&self, name: &str) -> [u8; 16] {
        hex(self.field(name)).try_into().expect("16 bytes")
    }

    fn refusal(&self) -> Refusal {
        match self.0.split(' ').nth(1) {
            Some("version") => Refusal::Version {
                lowest: self.byte("lowest"),
                highest: self.byte("highest"),
            },
            Some("malformed") => Refusal::Malformed,
            Some("busy") => Refusal::Busy {
                retry_after: self.number("retry_after"),
            },
            Some("custom") => {
                let code = self.field("code").parse().expect("a code");
                Refusal::Custom(CloseCode::new(code).expect("the application's"))
            }
            other => panic!("no reason: {other:?}"),
        }
    }

    /// The bytes of this frame, as the encoder writes them.
    fn encode(&self) -> Vec<u8> {
        let payload = self.find("payload").map(hex).unwrap_or_default();
        let body = if self.flag("text") {
            Body::Text(std::str::from_utf8(&payload).expect("a text"))
        } else {
            Body::Binary(&payload)
        };
        let frame = match self.kind() {
            "hello" => Frame::Hello(Hello {
                session: (self.find("session")).map(|_| SessionId::new(self.name("session"))),
                last_seen: self.number("last_seen"),
                first: self.number("first"),
                connection: self.number("connection"),
            }),
            "welcome" => Frame::Welcome(Welcome {
                session: SessionId::new(self.name("session")),
                server: ServerId::new(self.name("server")),
                resumed: self.flag("resumed"),
                last_seen: self.number("last_seen"),
                intents: self.number("intents"),
                first: self.number("first"),
            }),
            "refuse" => Frame::Refuse {
                refusal: self.refusal(),
                detail: Detail::new(self.0.split_once("detail=").expect("a detail").1),
            },
            "data" => Frame::Data {
                sequence: self.number("sequence"),
                resent: self.flag("resent"),
                body,
            },
            "intent" => Frame::Intent {
                number: NonZero::new(self.number("number")).expect("from 1"),
                body,
            },
            "ack" => Frame::Ack {
                sequence: self.number("sequence"),
                intents: self.number("intents"),
            },
            "batch" => {
                let parts = self.0.strip_prefix("batch ").expect("parts").split(" ; ");
                let parts: Vec<_> = parts.map(|part| Meaning(part).encode()).collect();
                return Batch::join(parts.iter().map(Vec::as_slice)).expect("messages");
            }
            "ping" => Frame::Ping {
                nonce: self.number("nonce"),
            },
            "decline" => Frame::Decline {
                number: NonZero::new(self.number("number")).expect("from 1"),
                detail: Detail::new(self.0.split_once("detail=").expect("a detail").1),
            },
            "pong" => Frame::Pong {
                nonce: self.number("nonce"),
            },
            other => panic!("no kind: {other}"),
        };
        frame.to_vec()
    }
}

/// What the parser makes of bytes, in the words of the vectors.
fn describe(frame: Frame<'_>) -> String {
    let name = |bytes: [u8; 16]| digits(&bytes);
    match frame {
        Frame::Hello(hello) => {
            let session = hello.session.map(|id| name(id.bytes()));
            let session = session.map(|id| format!(" session={id}"));
            format!(
                "hello{} last_seen={} first={} connection={}",
                session.unwrap_or_default(),
                hello.last_seen,
                hello.first,
                hello.connection
            )
        }
        Frame::Welcome(welcome) => format!(
            "welcome{} session={} server={} last_seen={} intents={} first={}",
            if welcome.resumed { " resumed" } else { "" },
            name(welcome.session.bytes()),
            name(welcome.server.bytes()),
            welcome.last_seen,
            welcome.intents,
            welcome.first
        ),
        Frame::Refuse { refusal, detail } => {
            let why = match refusal {
                Refusal::Version { lowest, highest } => {
                    format!("version lowest={lowest} highest={highest}")
                }
                Refusal::Malformed => "malformed".to_owned(),
                Refusal::Busy { retry_after } => format!("busy retry_after={retry_after}"),
                Refusal::Custom(code) => format!("custom code={}", code.get()),
            };
            format!("refuse {why} detail={}", detail.as_str())
        }
        Frame::Data {
            sequence,
            resent,
            body,
        } => format!(
            "data{}{} sequence={sequence} payload={}",
            if body.is_text() { " text" } else { "" },
            if resent { " resent" } else { "" },
            digits(body.bytes())
        ),
        Frame::Intent { number, body } => format!(
            "intent{} number={number} payload={}",
            if body.is_text() { " text" } else { "" },
            digits(body.bytes())
        ),
        Frame::Ack { sequence, intents } => format!("ack sequence={sequence} intents={intents}"),
        Frame::Batch(batch) => {
            let parts: Vec<_> = batch.frames().map(describe).collect();
            format!("batch {}", parts.join(" ; "))
        }
        Frame::Ping { nonce } => format!("ping nonce={nonce}"),
        Frame::Pong { nonce } => format!("pong nonce={nonce}"),
        Frame::Decline { number, detail } => {
            format!("decline number={number} detail={}", detail.as_str())
        }
    }
}

fn digits(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[test]
fn valid_vectors_both_ways() {
    let mut kinds = BTreeSet::new();
    for columns in lines("valid") {
        let [_, bytes, meaning] = columns[..] else {
            panic!("three columns: {columns:?}");
        };
        let bytes = hex(bytes);
        let frame = Frame::parse(&bytes).unwrap_or_else(|error| panic!("{meaning}: {error}"));
        assert_eq!(describe(frame), meaning);
        assert_eq!(Meaning(meaning).encode(), bytes, "{meaning}");
        assert_eq!(frame.to_vec(), bytes, "{meaning}");
        kinds.insert(frame.kind());
    }
    assert_eq!(kinds.len(), 10, "kinds without a vector: {kinds:?}");
}

#[test]
fn invalid_vectors() {
    let mut rules = BTreeSet::new();
    for columns in lines("invalid") {
        let [_, bytes, rule, why] = columns[..] else {
            panic!("four columns: {columns:?}");
        };
        let error = Frame::parse(&hex(bytes)).expect_err(why);
        assert_eq!(format!("{error:?}"), rule, "{bytes}: {why}");
        println!("{bytes}: {error}");
        rules.insert(rule.split(' ').next().unwrap_or_default().to_owned());
    }
    assert_eq!(rules.len(), 14, "rules without a vector: {rules:?}");
}

#[test]
fn every_line_is_a_vector_or_a_remark() {
    let all = VECTORS.lines().filter(|line| !line.is_empty());
    let vectors = all.filter(|line| !line.starts_with('#')).count();
    assert_eq!(vectors, lines("valid").len() + lines("invalid").len());
    assert!(vectors > 90, "{vectors}");
}

/// What the document quotes is there, and it names every rule.
#[test]
fn the_document_quotes_the_vectors() {
    let document = include_str!("../../docs/wire.md");
    let vectors: BTreeSet<_> = lines("valid").iter().map(|columns| columns[1]).collect();
    let quoted = document.rsplit("```").nth(1).expect("a block at the end");
    let quoted: Vec<_> = quoted.lines().skip(1).collect();
    assert!(quoted.len() >= 5, "{quoted:?}");
    for line in quoted {
        let bytes = line.split("  ").next().unwrap_or_default();
        assert!(vectors.contains(bytes), "{bytes} is no vector");
    }
    for columns in lines("invalid") {
        let rule = columns[2].split(' ').next().unwrap_or_default();
        let named = format!("`{rule}`");
        assert!(document.contains(&named), "{named} is not in the document");
    }
}

/// Each error says which value and which rule.
#[test]
fn errors_in_words() {
    for (bytes, words) in [
        ("0b", "no frame begins with 11: kinds are 1 to 10"),
        (
            "01 474554",
            "a hello with 47 45 54 instead of 72 64 6c (\"rdl\") is of another protocol",
        ),
        ("01 72646c 02", "version 2 is not spoken here: it is 1"),
        (
            "04 04",
            "flags 0x04 where only those of 0x03 have a meaning",
        ),
        ("04 00", "the frame ends before the end of its sequence"),
        (
            "08 8000",
            "an integer not in its shortest form: the frame's nonce",
        ),
        (
            "08 ffffffffffffffffff02",
            "an integer of more than 64 bits: the frame's nonce",
        ),
        (
            "08 00 00",
            "bytes behind the end of a frame: 1 where there may be none",
        ),
        ("05 00 00", "an intent with the number 0: they are from 1"),
        ("04 01 00 61ff", "a text that is UTF-8 only up to byte 1"),
        ("03 05", "no refusal has the reason 5: reasons are 1 to 4"),
        (
            "03 04 01",
            "close code 1 is not the application's: those are 3000 to 4999",
        ),
        ("07 01", "a batch of 1 messages: there are 2 to 65535"),
        (
            "07 02 02 0600",
            "a frame of kind 6 in a batch: only data (4) and intents (5) may be",
        ),
    ] {
        let error = Frame::parse(&hex(bytes)).expect_err(words);
        assert_eq!(error.to_string(), words);
    }
}
