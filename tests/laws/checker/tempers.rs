//! What each kind of driver says next.

use core::time::Duration;

use redial::{Command, Event, Frame, Hint, Instant, Phase};

use super::decode::{self, Draw};
use super::driver::{Driver, NAMES};
use super::{Tested, far};

impl Driver {
    /// A sensible next input: what a real driver could see now.
    pub(super) fn fair(&mut self, draw: &mut Draw) -> Tested {
        let due = self.link.poll_timeout();
        let alive = self.conduct.alive();
        if self.link.phase().is_final() && !draw.once_in(4) {
            self.pass(draw, due);
            return self.event(
                Event::Command(draw.pick(&[Command::Start, Command::Reconnect])),
                draw,
            );
        }
        match draw.below(16) {
            0..=5 => {
                // Nothing happens until the deadline.
                if let Some(due) = due {
                    self.now = self.now.max(due) + draw.pick(&LATE);
                } else {
                    self.now = self.now + Duration::from_millis(draw.below(5000));
                }
                return self.event(Event::Tick, draw);
            }
            6 => {
                self.pass(draw, due);
                return self.event(Event::Hint(decode::hint(draw)), draw);
            }
            7 if draw.once_in(3) => {
                self.pass(draw, due);
                let command = decode::command(draw);
                return self.event(Event::Command(command), draw);
            }
            8 | 9 => {
                self.pass(draw, due);
                return self.send(draw);
            }
            _ => self.pass(draw, due),
        }
        let Some(epoch) = alive else {
            let Some(wanted) = self.conduct.wanted() else {
                return self.event(Event::Tick, draw);
            };
            return self.event(Event::Permit(wanted), draw);
        };
        let event = if self.conduct.is_probe() {
            Event::Probed(epoch, draw.once_in(2))
        } else if self.conduct.is_open() {
            match draw.below(12) {
                0..=3 => Event::Frame(epoch, Frame::Data),
                4 => Event::Frame(epoch, draw.pick(&[Frame::Ping, Frame::Part])),
                5 => Event::Frame(epoch, Frame::Pong(self.conduct.nonce())),
                6 => Event::Ready(epoch),
                7 => match self.conduct.last_commit() {
                    Some(id) => Event::Flushed(epoch, id),
                    None => Event::Progress(epoch, 0),
                },
                8 => Event::Progress(epoch, draw.below(1000)),
                9 => Event::Hint(Hint::GoingAway(epoch, Duration::from_secs(draw.below(100)))),
                _ => Event::Closed(epoch, decode::closure(draw)),
            }
        } else {
            match draw.below(4) {
                0 => Event::Reached(epoch),
                1 => Event::Closed(epoch, decode::closure(draw)),
                _ => Event::Opened(epoch),
            }
        };
        self.event(event, draw)
    }

    /// Whatever makes the next dial come soon, without a command.
    pub(super) fn storm(&mut self, draw: &mut Draw) -> Tested {
        let alive = self.conduct.alive();
        let event = match (alive, self.conduct.wanted()) {
            (Some(epoch), _) if self.conduct.is_probe() => Event::Probed(epoch, draw.once_in(2)),
            (Some(epoch), _) if self.conduct.is_open() => match draw.below(8) {
                0 | 1 => Event::Frame(epoch, Frame::Data),
                2 => Event::Ready(epoch),
                3 => {
                    self.now = self.now + draw.pick(&OPEN);
                    Event::Frame(epoch, Frame::Data)
                }
                4 => Event::Hint(Hint::NetworkChanged),
                _ => Event::Closed(epoch, decode::refusal(draw)),
            },
            (Some(epoch), _) => match draw.below(8) {
                0 => Event::Hint(Hint::NetworkChanged),
                1..=4 => Event::Opened(epoch),
                _ => Event::Closed(epoch, decode::refusal(draw)),
            },
            (None, Some(wanted)) => Event::Permit(wanted),
            (None, None) => match draw.below(8) {
                0 => Event::Hint(draw.pick(&[Hint::Online, Hint::Visible, Hint::NetworkChanged])),
                1 | 2 if self.link.phase() == Phase::Offline => Event::Hint(Hint::Online),
                1 | 2 => Event::Hint(Hint::Offline),
                _ => {
                    self.now = self.now.max(self.link.poll_timeout().unwrap_or(self.now));
                    Event::Tick
                }
            },
        };
        self.event(event, draw)
    }

    /// Some time passes, but no deadline.
    fn pass(&mut self, draw: &mut Draw, due: Option<Instant>) {
        let later = self.now + Duration::from_millis(draw.pick(&[0, 1, 5, 100, 3000, 11_000]));
        self.now = due.map_or(later, |due| later.min(due).max(self.now));
    }

    pub(super) fn chaotic(&mut self, draw: &mut Draw) -> Tested {
        let due = self.link.poll_timeout();
        let nano = Duration::from_nanos(1);
        self.now = match draw.below(12) {
            0..=2 => self.now,
            3 | 4 => self.now + Duration::from_millis(draw.below(1000)),
            5 | 6 => due.unwrap_or(self.now),
            7 => due.map_or(self.now, |due| due - nano),
            8 => due.unwrap_or(self.now) + draw.pick(&LATE),
            9 => self.now + Duration::from_secs(draw.below(100)),
            10 => self.now - Duration::from_secs(draw.below(5000)),
            _ => self.now + Duration::from_secs(3600 * draw.below(50)),
        };
        if far(self.now) {
            self.now = Instant::ORIGIN;
        }
        if self.link.phase().is_final() && draw.once_in(3) {
            return self.event(
                Event::Command(draw.pick(&[Command::Start, Command::Reconnect])),
                draw,
            );
        }
        let epoch = match draw.below(8) {
            0 => draw.pick(&NAMES.0),
            1 => self.conduct.last_but(draw.below(3)).unwrap_or(NAMES.0[0]),
            _ => self
                .conduct
                .alive()
                .or(self.conduct.wanted())
                .or(self.conduct.last_but(0))
                .unwrap_or(NAMES.0[0]),
        };
        let id = match draw.below(4) {
            0 => draw.pick(&NAMES.1),
            _ => self.conduct.last_commit().unwrap_or(NAMES.1[0]),
        };
        let event = match draw.below(30) {
            0..=2 => Event::Tick,
            3 => Event::Reached(epoch),
            4..=7 | 22 => Event::Opened(epoch),
            8 | 9 => Event::Ready(epoch),
            10..=12 => Event::Closed(epoch, decode::closure(draw)),
            13 => Event::Frame(epoch, Frame::Data),
            14 => Event::Frame(epoch, draw.pick(&[Frame::Ping, Frame::Part])),
            15 => {
                let nonce = draw.pick(&[None, self.conduct.nonce(), Some(0), Some(u64::MAX)]);
                Event::Frame(epoch, Frame::Pong(nonce))
            }
            16 => Event::Flushed(epoch, id),
            17 => Event::Progress(epoch, draw.below(1000)),
            18 => Event::Probed(epoch, draw.once_in(2)),
            19 => Event::Permit(epoch),
            20 => Event::Hint(decode::hint(draw)),
            21 => Event::Hint(Hint::GoingAway(
                epoch,
                draw.pick(&[Duration::MAX, Duration::ZERO]),
            )),
            23 => Event::Command(decode::command(draw)),
            24 | 25 => return self.send(draw),
            26 => return self.write(epoch, draw),
            27 => return self.take_back(epoch, id),
            28 => return self.reject(epoch, id),
            _ => return self.fates(draw.below(3)),
        };
        self.event(event, draw)
    }
}

/// How long a connection stays open in a storm.
const OPEN: [Duration; 5] = [
    Duration::from_millis(5),
    Duration::from_millis(250),
    Duration::from_millis(750),
    Duration::from_secs(1),
    Duration::from_secs(10),
];

/// How late a tick comes, in a driver that is not on time.
const LATE: [Duration; 8] = [
    Duration::ZERO,
    Duration::ZERO,
    Duration::ZERO,
    Duration::from_nanos(1),
    Duration::from_millis(20),
    Duration::from_secs(6),
    Duration::from_secs(45),
    Duration::from_secs(3 * 3600),
];
