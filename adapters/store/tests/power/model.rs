//! The naive reference: what each record means, kept after each.

use redial::MessageId;
use redial::session::{ServerId, SessionId};
use redial_store::Record;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: u64,
    pub(crate) sequence: Option<u64>,
    pub(crate) payload: Vec<u8>,
}

/// What a link is after some records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) session: Option<SessionId>,
    pub(crate) server: Option<ServerId>,
    pub(crate) received: (u64, u64),
    pub(crate) accepted: u64,
    pub(crate) sequences: u64,
    pub(crate) intents: u64,
    pub(crate) messages: Vec<Message>,
    /// Id, number and payload.
    pub(crate) standing: Vec<(u64, u64, Vec<u8>)>,
    pub(crate) up: bool,
    pub(crate) written: u64,
    pub(crate) resent: u64,
    pub(crate) epochs: u64,
}

impl State {
    pub(crate) fn apply(&mut self, record: &Record<'_, Vec<u8>>) {
        match *record {
            Record::Accepted {
                id,
                sequence,
                payload,
                ..
            } => {
                self.accepted = id.number();
                self.sequences = sequence.unwrap_or(self.sequences);
                self.messages.push(Message {
                    id: id.number(),
                    sequence,
                    payload: payload.clone(),
                });
            }
            Record::Settled { first, last } => self
                .messages
                .retain(|it| it.id < first.number() || it.id > last.number()),
            Record::Session { session, server } => {
                if session != self.session {
                    self.received = (0, 0);
                    self.standing.iter_mut().for_each(|it| it.1 = 0);
                }
                self.session = session;
                self.server = server;
            }
            Record::Received { sequence, intents } => self.received = (sequence, intents),
            Record::Intent {
                id,
                number,
                payload,
            } => {
                self.intents = self.intents.max(number);
                match self.standing.iter_mut().find(|it| it.0 == id) {
                    Some(stand) => *stand = (id, number, payload.clone()),
                    None => self.standing.push((id, number, payload.clone())),
                }
                self.standing.sort_unstable_by_key(|it| it.0);
            }
            Record::Numbered { id, number } => {
                self.intents = self.intents.max(number);
                if let Some(stand) = self.standing.iter_mut().find(|it| it.0 == id) {
                    stand.1 = number;
                }
            }
            Record::Withdrawn { id } => self.standing.retain(|it| it.0 != id),
            Record::Up { epoch } => {
                self.up = true;
                self.epochs = self.epochs.max(epoch);
            }
            Record::Down { through } => {
                self.up = false;
                self.written = self.written.max(through.map_or(0, MessageId::number));
            }
            Record::Resent { through } => self.resent = self.resent.max(through.number()),
            _ => unreachable!("no other record is appended"),
        }
    }
}
