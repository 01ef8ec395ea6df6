//! A network of pipes: in order within a connection, in any order between them, cut anywhere.

use std::collections::VecDeque;

use redial::session::SessionId;
use redial::{Epoch, Hello, Welcome};

use super::ledger::Item;

/// What one end says to the other.
#[derive(Clone, Copy, Debug)]
pub enum Word {
    Hello(Hello),
    Welcome(Welcome),
    Message {
        item: Item,
        sequence: Option<u64>,
        resent: bool,
    },
    Intent {
        number: u64,
        index: usize,
    },
    Ack {
        sequence: u64,
        intents: u64,
    },
    /// The server doesn't want the intent with this number.
    Refuse(u64),
    Bye,
}

/// One connection, with what is in transit.
#[expect(clippy::struct_excessive_bools, reason = "independent facts of a pipe")]
#[derive(Clone, Debug)]
pub struct Pipe {
    /// From the client to the server.
    pub up: VecDeque<Word>,
    pub down: VecDeque<Word>,
    /// The end at the client, as long as it is there.
    pub client: Option<Epoch>,
    /// The end at the server: there, and the session that sits at it.
    pub server: bool,
    pub seat: Option<(SessionId, Epoch)>,
    /// The client was told that it is open.
    pub open: bool,
    /// Something was said twice.
    pub doubled: bool,
    /// Nothing more gets in.
    pub cut: bool,
}

impl Pipe {
    pub fn new(epoch: Epoch) -> Self {
        Self {
            up: VecDeque::new(),
            down: VecDeque::new(),
            client: Some(epoch),
            server: true,
            seat: None,
            open: false,
            doubled: false,
            cut: false,
        }
    }

    pub fn say_up(&mut self, word: Word) {
        if !self.cut {
            self.up.push_back(word);
        }
    }

    pub fn say_down(&mut self, word: Word) {
        if !self.cut {
            self.down.push_back(word);
        }
    }

    /// The connection breaks: of what is in transit only so much arrives.
    pub fn cut(&mut self, up: usize, down: usize) {
        self.cut = true;
        self.up.truncate(up);
        self.down.truncate(down);
    }

    /// What has a place comes once more, behind all that is in transit.
    pub fn double(&mut self, up: bool, which: usize) {
        let words = if up { &mut self.up } else { &mut self.down };
        let placed = |word: &&Word| match word {
            Word::Message { sequence, .. } => sequence.is_some(),
            Word::Intent { .. } => true,
            _ => false,
        };
        let mut placed = words.iter().filter(placed);
        if let Some(again) = placed.nth(which).copied() {
            self.doubled = true;
            words.push_back(again);
        }
    }

    /// The client's end is gone. What it had sent may still arrive.
    pub fn leave_client(&mut self) {
        self.client = None;
        self.cut = true;
        self.down.clear();
    }

    /// The server's end is gone.
    pub fn leave_server(&mut self) {
        self.server = false;
        self.seat = None;
        self.cut = true;
        self.up.clear();
    }
}
