//! What holds for all bytes and all frames, decoded from bytes so that the property tests and the
//! fuzzer share it.

use std::num::NonZero;

use redial::session::{Hello, ServerId, SessionId, Welcome};
use redial::wire::{
    Batch, Body, CloseCode, Detail, Frame, Head, Kind, Refusal, VERSION, WireError,
};

/// All there is to check of one case.
pub fn case(data: &[u8]) {
    let _ = any_bytes(data);
    any_frame(data);
    near_a_frame(data);
}

/// Any bytes are a frame that is written like this and not otherwise, or break a rule.
pub fn any_bytes(bytes: &[u8]) -> Result<Kind, WireError> {
    let parsed = Frame::parse(bytes);
    let head = Head::parse(bytes);
    let frame = match parsed {
        Ok(frame) => frame,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            // The short way sees all that is wrong but the payload, which is not its business.
            if let Ok(Some((head, payload))) = head {
                assert!(head.is_text(), "{error}");
                assert!(std::str::from_utf8(payload).is_err(), "{error}");
            }
            let refusal = error.refusal();
            let versions = Refusal::Version {
                lowest: VERSION,
                highest: VERSION,
            };
            let of_version = matches!(error, WireError::Version { .. });
            assert_eq!(refusal == versions, of_version, "{error}");
            assert_eq!(refusal.close_code(), 1002);
            return Err(error);
        }
    };
    assert_eq!(frame.to_vec(), bytes, "{frame:?}");
    assert_eq!(bytes[0], frame.kind().byte());
    let by_head = head.expect("a frame has no wrong head");
    assert_eq!(
        by_head,
        frame.head().map(|(head, body)| (head, body.bytes())),
        "{frame:?}"
    );
    if let Frame::Batch(batch) = frame {
        let parts: Vec<_> = batch.parts().collect();
        assert_eq!(parts.len() as u64, batch.len());
        assert!((2..=Batch::MOST as u64).contains(&batch.len()));
        let frames: Vec<_> = batch.frames().collect();
        assert_eq!(frames.len(), parts.len());
        for (frame, part) in frames.iter().zip(&parts) {
            assert!(matches!(frame.kind(), Kind::Data | Kind::Intent));
            assert_eq!(frame.to_vec(), *part);
        }
        let joined = Batch::join(parts.iter().copied()).expect("parts of a batch");
        assert_eq!(joined, bytes);
    }
    Ok(frame.kind())
}

/// Any frame comes back as it was.
pub fn any_frame(data: &[u8]) -> Kind {
    with_frame(&mut Input(data), |frame, _| {
        // Encoding appends.
        let mut bytes = b"before".to_vec();
        frame.encode(&mut bytes);
        let bytes = &bytes[6..];
        assert_eq!(Frame::parse(bytes), Ok(frame));
        assert_eq!(frame.to_vec(), bytes);
        if let Some((head, body)) = frame.head() {
            assert_eq!(head.length(), bytes.len() - body.bytes().len());
            assert!(head.length() <= Head::LONGEST);
            // One allocation, of the right size.
            let frame = head.frame(body.bytes());
            assert_eq!((frame.capacity(), &frame[..]), (bytes.len(), bytes));
        }
        frame.kind()
    })
}

/// Bytes that are almost a frame: one changed, some missing, or some more.
pub fn near_a_frame(data: &[u8]) {
    with_frame(&mut Input(data), |frame, input| {
        let mut bytes = frame.to_vec();
        let at = usize::try_from(input.number()).unwrap_or_default() % bytes.len();
        match input.byte() % 3 {
            0 => bytes[at] ^= input.byte(),
            1 => bytes.truncate(at),
            _ => bytes.push(input.byte()),
        }
        let _ = any_bytes(&bytes);
    });
}

/// Bytes to make a choice from; zeros when there are none left.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let taken = self.slice(N);
        let mut array = [0; N];
        array[..taken.len()].copy_from_slice(taken);
        array
    }

    /// Of any magnitude, the small ones as likely as the large ones.
    fn number(&mut self) -> u64 {
        let magnitude = self.byte() % 65;
        let number = u64::from_le_bytes(self.array());
        number.checked_shr(64 - u32::from(magnitude)).unwrap_or(0)
    }

    fn slice(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn text(&mut self, most: usize) -> &'a str {
        let bytes = self.slice(most);
        let valid = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
        std::str::from_utf8(&bytes[..valid]).expect("cut where it is valid")
    }

    fn body(&mut self) -> Body<'a> {
        let length = usize::from(self.byte());
        if self.byte() & 1 == 0 {
            Body::Binary(self.slice(length))
        } else {
            Body::Text(self.text(length))
        }
    }

    fn message(&mut self) -> Frame<'a> {
        match (self.byte() & 1, NonZero::new(self.number())) {
            (1, Some(number)) => Frame::Intent {
                number,
                body: self.body(),
            },
            (_, sequence) => Frame::Data {
                sequence: sequence.map_or(0, NonZero::get),
                resent: self.byte() & 1 == 1,
                body: self.body(),
            },
        }
    }

    fn refusal(&mut self) -> Refusal {
        match self.byte() % 4 {
            0 => Refusal::Version {
                lowest: self.byte(),
                highest: self.byte(),
            },
            1 => Refusal::Malformed,
            2 => Refusal::Busy {
                retry_after: self.number(),
            },
            _ => {
                let code = u16::from_le_bytes(self.array());
                CloseCode::new(code).map_or(Refusal::Malformed, Refusal::Custom)
            }
        }
    }
}

/// Hands on the frame that the input describes, and the rest of the input.
fn with_frame<T>(input: &mut Input<'_>, then: impl FnOnce(Frame<'_>, &mut Input<'_>) -> T) -> T {
    let frame = match input.byte() % 10 {
        0 => Frame::Hello(Hello {
            session: (input.byte() & 1 == 1).then(|| SessionId::new(input.array())),
            last_seen: input.number(),
            first: input.number(),
            connection: input.number(),
        }),
        1 => Frame::Welcome(Welcome {
            session: SessionId::new(input.array()),
            server: ServerId::new(input.array()),
            resumed: input.byte() & 1 == 1,
            last_seen: input.number(),
            intents: input.number(),
            first: input.number(),
        }),
        2 => {
            let refusal = input.refusal();
            // Longer than there is room for, now and then.
            let length = usize::from(u16::from_le_bytes(input.array()) % 400);
            let words = input.text(length);
            let detail = Detail::new(words);
            assert!(words.starts_with(detail.as_str()));
            assert!(words.len() > Detail::LONGEST || detail.as_str() == words);
            assert!(words.len() < detail.as_str().len() + 4 || detail.as_str().len() > 251);
            Frame::Refuse { refusal, detail }
        }
        3 => Frame::Ack {
            sequence: input.number(),
            intents: input.number(),
        },
        4 => Frame::Ping {
            nonce: input.number(),
        },
        5 => Frame::Pong {
            nonce: input.number(),
        },
        6 => {
            let count = 2 + usize::from(input.byte() % 8);
            let parts: Vec<_> = (0..count).map(|_| input.message().to_vec()).collect();
            let joined = Batch::join(parts.iter().map(Vec::as_slice)).expect("messages");
            assert_eq!(joined.capacity(), joined.len());
            let frame = Frame::parse(&joined).expect("a joined batch");
            let Frame::Batch(batch) = frame else {
                panic!("{frame:?} is no batch");
            };
            assert!(batch.parts().eq(parts.iter().map(Vec::as_slice)));
            return then(frame, input);
        }
        7 => Frame::Decline {
            number: NonZero::new(input.number()).unwrap_or(NonZero::<u64>::MIN),
            detail: Detail::new(input.text(20)),
        },
        _ => input.message(),
    };
    then(frame, input)
}
