//! Messages on plain TCP, framed as `redial_adapter::framed` says.

use std::io::{ErrorKind, Read, Write};

use redial::Cause;
use redial_adapter::framed::{CLOSED, DATA_AT, Kind, MOST, Parsed, control, data, parse};

use crate::error::Ended;
use crate::request::Request;
use crate::stream::Stream;
use crate::wire::{Inbound, Sizes, Step, Wire};

/// How much is read at once.
const READ: usize = 32 << 10;

/// Behind so many unwritten bytes no further answers to pings are put.
const CROWDED: usize = 64 << 10;

/// A connection with frames on it.
pub(crate) struct Framed {
    stream: Stream,
    sizes: Sizes,
    input: Vec<u8>,
    /// What lies before it in `input` has been taken.
    taken: usize,
    output: Vec<u8>,
    /// What lies before it in `output` has been written.
    written: usize,
    scratch: Box<[u8]>,
    /// The nonce of the peer's last ping that has no answer yet.
    asked: Option<u64>,
}

/// There is no handshake.
pub(crate) enum Never {}

impl Wire for Framed {
    type Message = Vec<u8>;
    type Handshake = Never;
    const FRAMED: bool = true;

    fn begin(stream: Stream, _request: &Request, sizes: Sizes) -> Step<Self> {
        Step::Open(Self {
            stream,
            sizes,
            input: Vec::new(),
            taken: 0,
            output: Vec::new(),
            written: 0,
            scratch: vec![0; READ].into_boxed_slice(),
            asked: None,
        })
    }

    fn resume(handshake: Never) -> Step<Self> {
        match handshake {}
    }

    fn next(&mut self) -> Result<Option<Inbound<Vec<u8>>>, Ended> {
        loop {
            if let Some(frame) = self.frame()? {
                return Ok(Some(frame));
            }
            match self.stream.read(&mut self.scratch) {
                Ok(0) => return Err(Ended::new(Cause::Lost, "the peer ended")),
                Ok(count) => {
                    self.input.drain(..self.taken);
                    self.taken = 0;
                    let read = self.scratch.get(..count).unwrap_or_default();
                    self.input.extend_from_slice(read);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn put(&mut self, message: &Vec<u8>) -> Result<bool, Ended> {
        let fits = message.len() <= self.sizes.outgoing;
        let Some(head) = data(message.len()).filter(|_| fits) else {
            return Ok(false);
        };
        self.append(&head, message);
        Ok(true)
    }

    fn longest(&self) -> usize {
        self.sizes.outgoing.min(MOST)
    }

    fn pending(&self) -> usize {
        self.output.len() - self.written
    }

    fn ping(&mut self, nonce: u64) -> Result<(), Ended> {
        self.append(&control(Kind::Ping(nonce)), &[]);
        Ok(())
    }

    fn pong(&mut self) -> Result<(), Ended> {
        // A peer may ping without end and never read: behind so much only the last ping is
        // answered, once there is room.
        if self.pending() < CROWDED {
            if let Some(nonce) = self.asked.take() {
                self.append(&control(Kind::Pong(nonce)), &[]);
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Ended> {
        self.append(&control(Kind::Close), &[]);
        Ok(())
    }

    fn flush(&mut self) -> Result<bool, Ended> {
        loop {
            if self.pending() == 0 {
                self.output.clear();
                self.written = 0;
                match self.asked.take() {
                    Some(nonce) => self.append(&control(Kind::Pong(nonce)), &[]),
                    None => return Ok(true),
                }
            }
            let rest = self.output.get(self.written..).unwrap_or_default();
            match self.stream.write(rest) {
                Ok(0) => return Err(Ended::new(Cause::Lost, "nothing can be written")),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }
}

impl Framed {
    /// Takes a whole frame out of the input, if there is one.
    fn frame(&mut self) -> Result<Option<Inbound<Vec<u8>>>, Ended> {
        let input = self.input.get(self.taken..).unwrap_or_default();
        let Parsed::Whole(kind, length) = parse(input, self.sizes.incoming)? else {
            return Ok(None);
        };
        let inbound = match kind {
            Kind::Data => {
                let body = input.get(DATA_AT..length).unwrap_or_default();
                Inbound::Message(body.to_vec())
            }
            Kind::Ping(nonce) => {
                self.asked = Some(nonce);
                Inbound::Ping
            }
            Kind::Pong(nonce) => Inbound::Pong(Some(nonce)),
            Kind::Close => return Err(Ended::new(CLOSED, "a close frame")),
        };
        self.taken += length;
        Ok(Some(inbound))
    }

    /// Puts bytes behind what waits to be written.
    fn append(&mut self, head: &[u8], body: &[u8]) {
        if self.written > 0 {
            self.output.drain(..self.written);
            self.written = 0;
        }
        self.output.extend_from_slice(head);
        self.output.extend_from_slice(body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn pings_without_end_fill_no_memory() {
        const PINGS: u64 = 20_000;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        ours.set_nonblocking(true).unwrap();
        let stream = Stream::plain(mio::net::TcpStream::from_std(ours), 4096);
        let sizes = Sizes {
            outgoing: 100,
            incoming: 100,
        };
        let request = Request::tcp("127.0.0.1:1").unwrap();
        let Step::Open(mut framed) = Framed::begin(stream, &request, sizes) else {
            panic!("there is no handshake");
        };
        let flood = std::thread::spawn(move || {
            for nonce in 1..=PINGS {
                peer.write_all(&control(Kind::Ping(nonce))).unwrap();
            }
            peer
        });
        let mut seen = 0;
        while seen < PINGS {
            match framed.next().unwrap() {
                Some(Inbound::Ping) => {
                    seen += 1;
                    framed.pong().unwrap();
                }
                Some(_) => panic!("only pings were sent"),
                None => std::thread::yield_now(),
            }
        }
        assert!(framed.pending() < CROWDED + 13, "{}", framed.pending());
        // The last one has its answer, behind what there was room for.
        let mut peer = flood.join().unwrap();
        assert!(framed.flush().unwrap());
        drop(framed);
        let mut answers = Vec::new();
        peer.read_to_end(&mut answers).unwrap();
        assert!(answers.len() < CROWDED + 39);
        assert!(answers.ends_with(&PINGS.to_be_bytes()));
    }
}
