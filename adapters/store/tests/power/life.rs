//! A link's life on a simulated disk: random records, a virtual clock, and an account of what
//! was promised when.

use std::time::Duration;

use redial::MessageId;
use redial::rng::{Rng, Seed, Seeded};
use redial::session::{ServerId, SessionId};
use redial_store::{Log, OpenError, Options, Record, SyncPolicy, Ticket};

use crate::disk::{Lies, SimDisk};
use crate::model::State;

pub(crate) const LAST_BOOT: [u8; 16] = [1; 16];

pub(crate) fn options(sync: SyncPolicy) -> Options {
    Options {
        sync,
        max_bytes: 600,
        pending: 250,
        // Often, so that most cuts meet one.
        rewrite_bytes: 300,
        rewrite_percent: 30,
        boot: Some(LAST_BOOT),
        ..Options::default()
    }
}

/// What came of a life.
pub(crate) struct Life {
    pub(crate) disk: SimDisk,
    /// The state after each record, with the empty one before all.
    pub(crate) states: Vec<State>,
    /// Through which record, and since when, it was reported stored.
    pub(crate) stored: Vec<(u64, Duration)>,
    pub(crate) now: Duration,
    /// Messages that were written to a connection.
    pub(crate) written: Vec<u64>,
    pub(crate) refused: usize,
    pub(crate) closed: bool,
}

impl Life {
    /// Through which record the log must be there if all that is not older than `age` may go.
    pub(crate) fn promised(&self, age: Option<Duration>) -> u64 {
        let old = |at: Duration| age.is_none_or(|age| at + age < self.now);
        let kept = self.stored.iter().filter(|(_, at)| old(*at));
        kept.map(|(through, _)| *through).max().unwrap_or(0)
    }
}

/// Lives until the disk is cut, or through all steps; closes in order if `close`.
pub(crate) fn live(
    seed: u64,
    steps: usize,
    sync: SyncPolicy,
    cut: Option<usize>,
    lies: Lies,
    close: bool,
) -> Life {
    let disk = SimDisk::holding(None, cut, lies);
    let mut life = Life {
        disk: disk.clone(),
        states: vec![State::default()],
        stored: Vec::new(),
        now: Duration::ZERO,
        written: Vec::new(),
        refused: 0,
        closed: false,
    };
    let mut log = match Log::<Vec<u8>, _>::over(disk, &options(sync)) {
        Ok((log, _)) => log,
        Err(OpenError::Disk(_)) => return life,
        Err(other) => panic!("{other}"),
    };
    let mut rng = Seeded::new(Seed::from_number(seed), 0);
    let mut up_at: Option<Ticket> = None;
    for _ in 0..steps {
        let state = life.states.last().expect("one").clone();
        let payload = payload(&mut rng);
        let Some(record) = choose(&mut rng, &state, &life.written, &payload) else {
            // Time passes, and a driver commits when it was told to.
            let until = life.now + Duration::from_millis(rng.next_u64() % 40);
            while let Some(due) = log.next_sync().filter(|due| *due <= until) {
                life.now = due;
                if !commit(&mut log, &mut life) {
                    return life;
                }
            }
            life.now = until;
            continue;
        };
        if matches!(record, Record::Down { .. }) {
            up_at = None;
        }
        match log.append(&record) {
            Ok(ticket) => {
                let mut state = state;
                state.apply(&record);
                life.states.push(state);
                assert_eq!(ticket.number(), life.states.len() as u64 - 1);
                if matches!(record, Record::Up { .. }) {
                    up_at = Some(ticket);
                }
            }
            Err(refusal) => {
                assert!(
                    matches!(record, Record::Accepted { .. } | Record::Intent { .. }),
                    "only what has a payload is refused: {refusal}"
                );
                life.refused += 1;
            }
        }
        if rng.next_u64() % 3 == 0 {
            if !commit(&mut log, &mut life) {
                return life;
            }
            if up_at.is_some_and(|up| up <= log.stored().through) {
                // A prefix of what is stored is written.
                let through = log.stored().message.map_or(0, MessageId::number);
                let through = through.saturating_sub(rng.next_u64() % 4);
                let messages = life.states.last().expect("one").messages.iter();
                let ids = messages.map(|it| it.id).filter(|id| *id <= through);
                life.written.extend(ids.collect::<Vec<_>>());
            }
        }
    }
    if close && log.close(life.now).is_ok() {
        life.closed = true;
    }
    life
}

/// What happens next to a link in this state; `None` for nothing but time.
fn choose<'a>(
    rng: &mut Seeded,
    state: &State,
    written: &[u64],
    payload: &'a Vec<u8>,
) -> Option<Record<'a, Vec<u8>>> {
    Some(match rng.next_u64() % 20 {
        0..=6 => Record::Accepted {
            id: MessageId::from_number(state.accepted + 1),
            sequence: (rng.next_u64() % 4 != 0).then_some(state.sequences + 1),
            ttl: None,
            payload,
        },
        7..=9 if !state.messages.is_empty() => {
            let live = state.messages.len();
            let any = below(rng, live);
            let from = if rng.next_u64() % 3 == 0 { any } else { 0 };
            let to = from + below(rng, live - from);
            let id = |at: usize| MessageId::from_number(state.messages[at].id);
            Record::Settled {
                first: id(from),
                last: id(to),
            }
        }
        10 => {
            let name = below(rng, 3).to_le_bytes()[0];
            Record::Session {
                session: (name > 0).then_some(SessionId::new([name; 16])),
                server: (name > 0).then_some(ServerId::new([name + 7; 16])),
            }
        }
        11..=12 => Record::Received {
            sequence: state.received.0 + 1,
            intents: state.received.1 + rng.next_u64() % 2,
        },
        13 => Record::Intent {
            id: 1 + rng.next_u64() % 4,
            number: (rng.next_u64() % 2) * (state.intents + 1),
            payload,
        },
        14 => Record::Numbered {
            id: 1 + rng.next_u64() % 4,
            number: state.intents + 1,
        },
        15 => Record::Withdrawn {
            id: 1 + rng.next_u64() % 4,
        },
        16 if state.up => Record::Down {
            through: written.iter().max().copied().map(MessageId::from_number),
        },
        17 => Record::Resent {
            through: MessageId::from_number(state.written),
        },
        _ if !state.up => Record::Up {
            epoch: state.epochs + 1,
        },
        _ => return None,
    })
}

fn below(rng: &mut Seeded, end: usize) -> usize {
    usize::try_from(rng.next_u64() % end as u64).expect("small")
}

fn commit(log: &mut Log<Vec<u8>, SimDisk>, life: &mut Life) -> bool {
    match log.commit(life.now) {
        Ok(progress) => {
            life.stored.push((progress.through.number(), life.now));
            true
        }
        Err(_) => false,
    }
}

fn payload(rng: &mut Seeded) -> Vec<u8> {
    let len = below(rng, 60);
    (0..len).map(|_| rng.next_u64().to_le_bytes()[0]).collect()
}
