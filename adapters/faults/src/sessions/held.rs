//! One session, the connection that carries it, and what of it is not yet written down or told.

use super::content::{Content, Got};
use super::disk::{Disk, Page, Pages};
use super::options::Feed;
use super::record::{News, Record};
use crate::tally::Tally;
use redial::inbox::{Header, Inbound};
use redial::server::Session;
use redial::wire::{Batch, Body, Frame};
use redial::{Epoch, Instant, MessageId};
use std::io;

/// A session and what belongs to it.
pub(super) struct Held {
    pub(super) session: Session<Content>,
    pub(super) slot: usize,
    // The connection that carries it.
    pub(super) line: Option<(Epoch, usize)>,
    // The one that it has replaced.
    pub(super) before: Option<(Epoch, usize)>,
    pub(super) news: News,
    // It has changed since it was written down.
    pub(super) dirty: bool,
    pub(super) pages: Option<Pages>,
    // How many messages of the feed were sent, and when the next is due.
    pub(super) fed: u64,
    pub(super) due: Instant,
}

impl Held {
    /// A message or an intent came in; true if it is new.
    pub(super) fn take(&mut self, now: Instant, epoch: Epoch, frame: &Frame<'_>) -> bool {
        let (header, got, body): (_, _, Body<'_>) = match *frame {
            Frame::Data {
                sequence,
                resent,
                body,
            } => {
                let sequence = (sequence != 0).then_some(sequence);
                let got = Got::Message {
                    sequence,
                    resent,
                    content: body.into(),
                };
                (sequence.map(Header::Sequence), got, body)
            }
            Frame::Intent { number, body } => {
                let number = number.get();
                let got = Got::Intent {
                    number,
                    content: body.into(),
                };
                (Some(Header::Intent(number)), got, body)
            }
            _ => return false,
        };
        let size = body.bytes().len();
        let judged = header.map_or(Inbound::Deliver, |header| {
            self.session.receive(now, epoch, header, size)
        });
        match judged {
            Inbound::Deliver => {}
            Inbound::Gap(gap) => self.news.got.push(Got::Gap(gap)),
            Inbound::Duplicate => {
                self.news.duplicates += 1;
                return false;
            }
            Inbound::Stale => return false,
        }
        self.news.got.push(got);
        self.dirty = true;
        true
    }

    /// Takes everything that may be written now.
    pub(super) fn flush(
        &mut self,
        now: Instant,
        epoch: Epoch,
        frames: &mut Vec<Vec<u8>>,
    ) -> Option<MessageId> {
        let batch = self.session.settings().outbox.batch;
        let most = batch.map_or(1, |batch| usize::from(batch.messages).clamp(1, Batch::MOST));
        let mut last = None;
        loop {
            let mut together = Vec::new();
            while together.len() < most {
                let Some(outgoing) = self.session.peek(now, epoch) else {
                    break;
                };
                let frame = Frame::Data {
                    sequence: outgoing.sequence.unwrap_or_default(),
                    resent: outgoing.resent,
                    body: outgoing.payload.body(),
                };
                together.push(frame.to_vec());
                let id = outgoing.id;
                self.session.commit(now, epoch, id);
                self.dirty = true;
                last = Some(id);
            }
            match (
                together.len(),
                Batch::join(together.iter().map(Vec::as_slice)),
            ) {
                (0, _) => return last,
                (_, Ok(batch)) => frames.push(batch),
                (_, Err(_)) => frames.append(&mut together),
            }
        }
    }

    /// Sends what the feed has for now.
    pub(super) fn feed(&mut self, now: Instant, feed: Option<Feed>) {
        let Some(feed) = feed else {
            return;
        };
        while self.is_hungry(&feed) && self.due <= now {
            let content = Content::Text(feed.message(self.fed));
            if self.session.send(now, content, feed.options).is_err() {
                // The bytes are used up: at the next beat, or when some are acknowledged.
                self.due = now + feed.every;
                return;
            }
            self.fed += 1;
            self.due = self.due + feed.every;
            self.dirty = true;
        }
    }

    /// Half of the replay buffer is left to others.
    fn is_hungry(&self, feed: &Feed) -> bool {
        let outbox = self.session.outbox();
        let room = self.session.settings().outbox.messages.div_ceil(2);
        self.fed < feed.messages && outbox.queued() + outbox.in_flight() < room
    }

    /// When to come back.
    pub(super) fn alarm(&self, feed: Option<Feed>) -> Option<Instant> {
        let waiting = feed.filter(|feed| !feed.every.is_zero() && self.is_hungry(feed));
        let due = waiting.map(|_| self.due);
        self.session.poll_timeout().into_iter().chain(due).min()
    }

    /// The session and what its application got, as one write.
    pub(super) fn write(&mut self, disk: &mut Disk, tally: &Tally<Record>) -> io::Result<()> {
        let keep = tally.update(|record| {
            record.writes += 1;
            record.keep
        });
        let mut page = Page {
            session: &self.session,
            fed: self.fed,
            got: if keep { &self.news.got } else { &[] },
        };
        match &mut self.pages {
            Some(pages) if !pages.is_long() => disk.append(pages, page),
            pages => {
                let before = tally.read(|record| record.find(self.session.id()).cloned());
                let mut all = before.map(|client| client.got).unwrap_or_default();
                all.extend_from_slice(page.got);
                page.got = &all;
                *pages = Some(disk.begin(page)?);
                Ok(())
            }
        }
    }
}
