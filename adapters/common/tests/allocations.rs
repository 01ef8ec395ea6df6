//! What the way of a message costs in allocations.

use redial::rng::{Seed, Seeded};
use redial::session::{Hello, ServerId, SessionId, Welcome};
use redial::wire::Frame;
use redial::{Action, Command, Config, Event, Instant, Link, SendOptions};
use redial_adapter::wire::Wire;
use redial_adapter::{Heard, Message, Opening, Protocol};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

fn blocks() -> u64 {
    dhat::HeapStats::get().total_blocks
}

#[test]
fn a_message_is_framed_with_one_allocation_and_heard_with_one_at_most() {
    let now = Instant::ORIGIN;
    let mut link = Link::new(Config::default(), Seeded::new(Seed::from_number(1), 1));
    link.handle(now, Event::Command(Command::Start));
    let mut dialled = None;
    while let Some(action) = link.poll_action() {
        if let Action::Connect { epoch, .. } = action {
            dialled = Some(epoch);
        }
    }
    let epoch = dialled.expect("a dial");
    link.handle(now, Event::Opened(epoch));
    let payload = Message::binary(vec![7; 1000]);
    assert!(link.send(now, payload, SendOptions::new()).is_ok());
    let mut outgoing = link.peek(now, epoch).expect("a message");
    outgoing.sequence = Some(300);

    let mut wire = Wire::new();
    let hello = Hello {
        session: None,
        last_seen: 0,
        first: 1,
        connection: 1,
    };
    let _ = Protocol::<Message>::begin(&mut wire, Opening::new(1, false), hello);
    let welcome = Frame::Welcome(Welcome {
        session: SessionId::new([1; 16]),
        server: ServerId::new([2; 16]),
        resumed: false,
        last_seen: 0,
        intents: 0,
        first: 1,
    });
    let mut heard = Vec::with_capacity(4);
    wire.receive(Message::binary(welcome.to_vec()), &mut heard);

    let _profiler = dhat::Profiler::builder().testing().build();
    let before = blocks();
    let sent = wire.send(&outgoing);
    let after_send = blocks();
    // The count that lets the frame be shared is a block of its own, once.
    wire.receive(sent, &mut heard);
    let after_receive = blocks();
    assert!(matches!(heard[..], [Heard::Welcome(_), Heard::Message(..)]));
    assert_eq!(after_send - before, 1);
    assert!(after_receive - after_send <= 1);
}
