//! What is said of a session, by a peer that is honest and by one that is not: the calls and
//! events of a link with a session.

use core::time::Duration;

use redial::inbox::Inbound;
use redial::{Ack, Epoch, Event, Header, IntentId, MessageId, Phase};

use super::decode::{self, Draw};
use super::driver::{Driver, NAMES};
use super::messages::Parcel;
use super::{Tested, law};

impl Driver {
    /// One word about the session.
    pub(super) fn converse(&mut self, draw: &mut Draw) -> Tested {
        let due = self.link.poll_timeout();
        let later = self.now + Duration::from_millis(draw.pick(&[0, 0, 1, 40, 300]));
        self.now = due.map_or(later, |due| later.min(due).max(self.now));
        let epoch = match draw.below(12) {
            0 => self.conduct.last_but(1).unwrap_or(NAMES.0[0]),
            1 => draw.pick(&NAMES.0),
            _ => self.conduct.alive().unwrap_or(NAMES.0[0]),
        };
        let written = self.link.outbox().last_written();
        if let (Some(alive), false) = (self.conduct.alive(), draw.once_in(4)) {
            if self.conduct.is_open() && !self.link.state().is_up(alive) {
                return self.greet(alive, draw);
            }
            if !self.conduct.is_open() && !self.conduct.is_probe() {
                return self.event(Event::Opened(alive), draw);
            }
        }
        match draw.below(18) {
            0 | 1 => self.greet(epoch, draw),
            2..=4 => self.receive(epoch, draw),
            5..=7 => {
                let ack = match draw.below(6) {
                    0 => Ack::One(self.conduct.last_commit().unwrap_or(NAMES.1[0])),
                    1 => Ack::One(draw.pick(&NAMES.1)),
                    _ => Ack::Through {
                        sequence: written.saturating_sub(draw.below(3)),
                        intents: draw.pick(&[0, 0, 0, 1, u64::MAX]),
                    },
                };
                self.event(Event::Acked(epoch, ack), draw)
            }
            8 => {
                let sequence = decode::number(draw, written);
                let ack = Ack::Through {
                    sequence,
                    intents: 0,
                };
                self.event(Event::Acked(epoch, ack), draw)
            }
            9 => self.declare(draw),
            10 => {
                let id = IntentId::from_number(draw.below(6));
                let (here, there) = (self.link.withdraw(id), self.twin.withdraw(id));
                law(10, here == there, || format!("{here:?} or {there:?}"))?;
                self.follow(None, draw)
            }
            11 => {
                let number = decode::number(draw, 1);
                self.latest = self.latest.max(self.now);
                let here = self.link.refuse_intent(self.now, epoch, number);
                let there = self.twin.refuse_intent(self.latest, epoch, number);
                law(10, here == there, || format!("{here:?} or {there:?}"))?;
                self.follow(None, draw)
            }
            12 => {
                let (accepted, _) = self.link.outbox().account();
                let through = MessageId::from_number(decode::number(draw, accepted));
                self.event(Event::Stored(through), draw)
            }
            13..=15 => self.send(draw),
            16 => self.write(epoch, draw),
            _ => {
                if draw.once_in(4) {
                    self.link.forget_session();
                    self.twin.forget_session();
                }
                self.event(Event::Ready(epoch), draw)
            }
        }
    }

    /// The hello and its answer, or one of them alone.
    fn greet(&mut self, epoch: Epoch, draw: &mut Draw) -> Tested {
        if !draw.once_in(8) {
            let (here, there) = (self.link.hello(epoch), self.twin.hello(epoch));
            super::tell(|| format!("hello on {epoch}: {here:?}"));
            law(10, here == there, || format!("{here:?} or {there:?}"))?;
        }
        if draw.once_in(8) {
            return self.follow(None, draw);
        }
        let (known, _) = self.link.session();
        let written = self.link.outbox().last_written();
        let next = self.link.inbox().last().saturating_add(1);
        let welcome = decode::welcome(draw, known, written, next);
        self.latest = self.latest.max(self.now);
        let mut before = self.link.clone();
        self.conduct.welcoming(&self.link, self.latest);
        let here = self.link.welcome(self.now, epoch, &welcome);
        let there = self.twin.welcome(self.latest, epoch, &welcome);
        super::tell(|| format!("{:?}: {welcome:?} on {epoch}: {here:?}", self.now));
        law(10, here == there, || format!("{here:?} or {there:?}"))?;
        if here.is_some() {
            self.conduct.welcomed(self.latest);
            let told = self.link.status().resumption == here;
            // A drain may be over with what the answer acknowledges.
            let up = self.link.state().is_up(epoch) || self.link.phase() == Phase::Closing;
            law(12, told && up, || {
                format!("{here:?} in {:?}", self.link.status())
            })?;
        }
        // Law 8: who was not asked, or says what can't be, is not believed.
        let possible = welcome.last_seen <= before.outbox().last_written()
            && before
                .hello(epoch)
                .is_some_and(|hello| hello.session == Some(welcome.session));
        let resumed = here.is_some_and(|told| told.is_resumed());
        law(8, !resumed || (possible && welcome.resumed), || {
            format!("{here:?} by {welcome:?}")
        })?;
        self.follow(None, draw)
    }

    fn receive(&mut self, epoch: Epoch, draw: &mut Draw) -> Tested {
        let inbox = *self.link.inbox();
        let header = decode::header(draw, inbox.last(), inbox.intents());
        let size = draw.pick(&[1, 0, 100, usize::MAX]);
        self.latest = self.latest.max(self.now);
        let here = self.link.receive(self.now, epoch, header, size);
        let there = self.twin.receive(self.latest, epoch, header, size);
        super::tell(|| format!("{:?}: {header:?} on {epoch}: {here:?}", self.now));
        law(10, here == there, || format!("{here:?} or {there:?}"))?;
        let (place, last) = match header {
            Header::Sequence(place) => (place, inbox.last()),
            Header::Intent(place) => (place, inbox.intents()),
        };
        let stale = place == 0 || self.conduct.alive() != Some(epoch);
        let right = match here {
            Inbound::Stale => stale || !self.link.state().is_up(epoch),
            Inbound::Duplicate => !stale && place <= last,
            Inbound::Deliver => !stale && place > last,
            Inbound::Gap(gap) => !stale && gap.from == last + 1 && gap.to == place - 1,
        };
        law(8, right, || format!("{header:?} after {last} is {here:?}"))?;
        self.follow(None, draw)
    }

    fn declare(&mut self, draw: &mut Draw) -> Tested {
        self.sent += 1;
        let parcel = Parcel {
            number: self.sent,
            size: draw.pick(&[1, 0, 20, 51, usize::MAX]),
        };
        self.latest = self.latest.max(self.now);
        let here = self.link.declare(self.now, parcel);
        let there = self.twin.declare(self.latest, parcel);
        super::tell(|| format!("declare {parcel:?}: {here:?}"));
        law(10, here == there, || format!("{here:?} or {there:?}"))?;
        if let Err(refused) = here {
            law(6, refused.payload == parcel, || {
                "a refusal gave another payload back".into()
            })?;
        }
        let most = self.link.config().session().map_or(0, |s| s.max_intents);
        let standing = self.link.intents().count();
        law(11, standing <= most, || format!("{standing} intents stand"))?;
        self.follow(None, draw)
    }
}
