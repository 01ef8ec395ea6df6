//! In the steady state nothing is allocated, and memory is given back in the end.
//!
//! Its own test binary: the allocator counts for the whole process.

use core::time::Duration;

use redial::rng::{Seed, Seeded};
use redial::{Action, Cause, Command, Config, Epoch, Event, Frame, Instant, Link, SendOptions};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

struct Driver {
    link: Link<&'static [u8], Seeded>,
    now: Instant,
    epoch: Option<Epoch>,
}

impl Driver {
    fn handle(&mut self, event: Event) {
        self.link.handle(self.now, event);
        while let Some(action) = self.link.poll_action() {
            match action {
                Action::Connect { epoch, .. } => self.epoch = Some(epoch),
                Action::SendPing { epoch, nonce } => {
                    let pong = Event::Frame(epoch, Frame::Pong(Some(nonce)));
                    self.link.handle(self.now, pong);
                }
                _ => {}
            }
        }
    }

    /// A second of a busy link: frames in, messages out, fates taken.
    fn traffic(&mut self) {
        let epoch = self.epoch.expect("connected");
        for _ in 0..50 {
            self.now = self.now + Duration::from_millis(20);
            self.handle(Event::Frame(epoch, Frame::Data));
            for _ in 0..10 {
                let sent = self.link.send(self.now, b"0123456789", SendOptions::new());
                assert!(sent.is_ok(), "{sent:?}");
            }
            let mut last = None;
            while let Some(message) = self.link.peek(self.now, epoch) {
                let id = message.id;
                assert!(self.link.commit(self.now, epoch, id));
                last = Some(id);
            }
            self.handle(Event::Flushed(epoch, last.expect("ten were queued")));
            while self.link.poll_fate().is_some() {}
            self.handle(Event::Tick);
        }
        // Silence, a ping, its pong.
        self.now = self.link.poll_timeout().expect("connected");
        self.handle(Event::Tick);
    }

    fn outage(&mut self) {
        let epoch = self.epoch.take().expect("connected");
        self.handle(Event::Closed(epoch, Cause::Lost.into()));
        self.now = self.link.poll_timeout().expect("waiting");
        self.handle(Event::Tick);
        let epoch = self.epoch.expect("dialled");
        self.handle(Event::Opened(epoch));
    }
}

#[test]
fn the_steady_state_allocates_nothing() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let mut driver = Driver {
        link: Link::new(Config::default(), Seeded::new(Seed::from_number(3), 1)),
        now: Instant::ORIGIN,
        epoch: None,
    };
    driver.handle(Event::Command(Command::Start));
    let epoch = driver.epoch.expect("a start dials");
    driver.handle(Event::Opened(epoch));
    driver.traffic();
    driver.outage();

    let warm = dhat::HeapStats::get();
    for _ in 0..20 {
        driver.traffic();
        driver.outage();
    }
    let after = dhat::HeapStats::get();
    println!(
        "10,000 messages, 1,000 frames, 20 outages: {} allocations",
        after.total_blocks - warm.total_blocks
    );
    assert_eq!(after.total_blocks, warm.total_blocks);

    let held = dhat::HeapStats::get().curr_blocks;
    drop(driver);
    let left = dhat::HeapStats::get().curr_blocks;
    assert!(
        left < held,
        "the link's buffers are freed with it: {held}, {left}"
    );
}
