//! Every phase and every input: what comes next, as one table written by hand.
//!
//! The table says what should be; it is not computed from the code. Each phase is reached by a
//! recipe, each input is told to a fresh copy, and the phases and actions that follow are
//! compared. A dot means that nothing follows.

#[path = "../common/mod.rs"]
mod common;
mod published;

use common::{Driver, ms, secs};
use redial::cause::SocketError;
use redial::config::{Dialling, HintLimit, Preflight};
use redial::{
    Action, Cause, Closure, Command, Config, Epoch, Event, Frame, Hint, Phase, RetryAfter,
    SendOptions,
};

/// How to reach a phase.
type Recipe = fn() -> Driver;

/// Phases in the columns, by recipe.
const PHASES: [(&str, Recipe); 12] = [
    ("closed", closed),
    ("probing", probing),
    ("connecting", connecting),
    ("opened", opened),
    ("connected", connected),
    ("waiting", waiting),
    ("asked", asked),
    ("reconnecting", reconnecting),
    ("offline", offline),
    ("draining", draining),
    ("closing", closing),
    ("failed", failed),
];

fn config() -> redial::config::Builder {
    Config::builder().hints(HintLimit {
        spread: ms(0),
        ..HintLimit::default()
    })
}

fn with(builder: redial::config::Builder) -> Driver {
    Driver::new(builder.build().expect("valid"), 7)
}

fn closed() -> Driver {
    with(config())
}

fn probing() -> Driver {
    let mut driver = with(config().preflight(Some(Preflight::default())));
    driver.command(Command::Start);
    driver
}

fn connecting() -> Driver {
    let mut driver = with(config());
    driver.start();
    driver
}

/// Opened, and the application's own handshake is not done: still `Connecting`.
fn opened() -> Driver {
    let mut driver = with(config().ready_deadline(Some(secs(2))));
    let epoch = driver.start();
    driver.tell(Event::Opened(epoch));
    driver
}

fn connected() -> Driver {
    let mut driver = connecting();
    let epoch = epoch(&driver);
    driver.tell(Event::Opened(epoch));
    driver
}

fn waiting() -> Driver {
    let mut driver = connecting();
    let epoch = epoch(&driver);
    driver.close(epoch, Cause::Socket(SocketError::Refused));
    driver
}

/// A dial was asked for and not permitted: `Waiting` too.
fn asked() -> Driver {
    let mut driver = with(config().dialling(Dialling::Permitted { patience: secs(1) }));
    driver.command(Command::Start);
    driver
}

fn reconnecting() -> Driver {
    let mut driver = connected();
    let epoch = epoch(&driver);
    driver.close(epoch, Cause::Lost);
    driver.dialled();
    driver
}

fn offline() -> Driver {
    let mut driver = waiting();
    driver.tell(Event::Hint(Hint::Offline));
    driver
}

fn draining() -> Driver {
    let mut driver = connected();
    driver.room = 0;
    driver.send("left", SendOptions::new());
    driver.command(Command::Drain(secs(3)));
    driver
}

fn closing() -> Driver {
    let mut driver = connected();
    driver.command(Command::Disconnect);
    driver
}

fn failed() -> Driver {
    let mut driver = connecting();
    let epoch = epoch(&driver);
    driver.close(epoch, Cause::Http(403));
    driver
}

fn epoch(driver: &Driver) -> Epoch {
    driver.link.status().epoch.expect("an epoch is alive")
}

/// An epoch that is not alive: of another link, or of this one's future.
fn stale() -> Epoch {
    let mut other = connecting();
    for _ in 0..50 {
        other.command(Command::Reconnect);
    }
    epoch(&other)
}

/// What is told: with the epoch that is alive, or a stale one where none is.
type Input = fn(Epoch) -> Event;

fn gone(cause: Cause) -> Closure {
    cause.into()
}

/// The rows, in the order of [`PHASES`]. A cell is what follows: phases with a capital,
/// actions in small letters.
#[rustfmt::skip]
const TABLE: [(&str, Input, [&str; 12]); 28] = [
    ("tick early", |_| Event::Tick, [".", ".", ".", ".", ".", ".", ".", ".", ".", ".", ".", "."]),
    ("reached", Event::Reached,
        [".", ".", ".", ".", ".", ".", ".", ".", ".", ".", ".", "."]),
    ("opened", Event::Opened,
        [".", ".", "Connected", ".", ".", ".", ".", "Connected", ".", ".", ".", "."]),
    ("ready", Event::Ready, [".", ".", ".", "Connected", ".", ".", ".", ".", ".", ".", ".", "."]),
    ("lost", |e| Event::Closed(e, gone(Cause::Lost)),
        [".", ".", "Waiting", "Waiting", "Waiting", ".", ".", "Waiting", ".", ".", "Closed", "."]),
    ("fatal", |e| Event::Closed(e, gone(Cause::Http(403))),
        [".", ".", "Failed", "Failed", "Failed", ".", ".", "Failed", ".", "Closed", "Closed", "."]),
    ("closed in order", |e| Event::Closed(e, gone(Cause::Close(1000))),
        [".", ".", "Closed", "Closed", "Closed", ".", ".", "Closed", ".", "Closed", "Closed", "."]),
    ("busy", |e| Event::Closed(e, Closure::hinted(Cause::Http(503), RetryAfter::seconds(9))),
        [".", ".", "Waiting", "Waiting", "Waiting", ".", ".", "Waiting", ".", ".", "Closed", "."]),
    ("data", |e| Event::Frame(e, Frame::Data),
        [".", ".", ".", ".", ".", ".", ".", ".", ".", ".", ".", "."]),
    ("ping", |e| Event::Frame(e, Frame::Ping),
        [".", ".", ".", "pong", "pong", ".", ".", ".", ".", "pong", "pong", "."]),
    ("pong", |e| Event::Frame(e, Frame::Pong(None)),
        [".", ".", ".", ".", ".", ".", ".", ".", ".", ".", ".", "."]),
    ("part", |e| Event::Frame(e, Frame::Part),
        [".", ".", ".", ".", ".", ".", ".", ".", ".", ".", ".", "."]),
    ("progress", |e| Event::Progress(e, 9),
        [".", ".", ".", ".", ".", ".", ".", ".", ".", "flush", ".", "."]),
    ("probed there", |e| Event::Probed(e, true),
        [".", "Connecting connect", ".", ".", ".", ".", ".", ".", ".", ".", ".", "."]),
    ("probed not there", |e| Event::Probed(e, false),
        [".", ".", ".", ".", ".", ".", ".", ".", ".", ".", ".", "."]),
    ("permit", Event::Permit,
        [".", ".", ".", ".", ".", ".", "Connecting connect", ".", ".", ".", ".", "."]),
    ("online", |_| Event::Hint(Hint::Online),
        [".", ".", ".", ".", "ping", ".", ".", ".", "Waiting", "ping", ".", "."]),
    ("offline", |_| Event::Hint(Hint::Offline),
        [".", ".", ".", ".", "ping", "Offline", "Offline", ".", ".", "ping", ".", "."]),
    ("visible", |_| Event::Hint(Hint::Visible),
        [".", ".", ".", ".", "ping", ".", ".", ".", ".", "ping", ".", "."]),
    ("hidden", |_| Event::Hint(Hint::Hidden),
        [".", ".", ".", ".", ".", ".", ".", ".", ".", ".", ".", "."]),
    ("network changed", |_| Event::Hint(Hint::NetworkChanged),
        [".", ".", "abort Waiting", "abort Waiting", "abort Waiting", ".", ".", "abort Waiting",
         ".", "abort", ".", "."]),
    ("going away", |e| Event::Hint(Hint::GoingAway(e, secs(9))),
        [".", ".", ".", ".", ".", ".", ".", ".", ".", ".", ".", "."]),
    ("start", |_| Event::Command(Command::Start),
        ["Connecting connect", ".", ".", ".", ".", ".", ".", ".", ".", ".",
         "abort Connecting connect", "Connecting connect"]),
    ("reconnect", |_| Event::Command(Command::Reconnect),
        ["Connecting connect", "abort preflight", "abort connect", "abort connect",
         "abort Reconnecting connect", "Connecting connect", "want", "abort connect",
         "Connecting connect", "abort Reconnecting connect", "abort Connecting connect",
         "Connecting connect"]),
    ("disconnect", |_| Event::Command(Command::Disconnect),
        [".", "abort Closed", "abort Closed", "Closing close", "Closing close", "Closed", "Closed",
         "abort Closed", "Closed", "Closing close", ".", "Closed"]),
    ("drain, with nothing left", |_| Event::Command(Command::Drain(secs(9))),
        [".", "abort Closed", "abort Closed", "Closing close", "Closing close", "Closed", "Closed",
         "abort Closed", "Closed", ".", ".", "Closed"]),
    ("drain at once", |_| Event::Command(Command::Drain(ms(0))),
        [".", "abort Closed", "abort Closed", "Closing close", "Closing close", "Closed", "Closed",
         "abort Closed", "Closed", "Closing close", ".", "Closed"]),
    ("clear", |_| Event::Command(Command::Clear),
        [".", ".", ".", ".", ".", ".", ".", ".", ".", "Closing close", ".", "."]),
];

/// What follows at the deadline of each phase.
const AT_DEADLINE: [(&str, &str); 12] = [
    ("closed", "none"),
    ("probing", "abort"),
    ("connecting", "abort Waiting"),
    ("opened", "abort Waiting"),
    // It proves stable, which nobody sees.
    ("connected", "."),
    ("waiting", "Connecting connect"),
    ("asked", "want"),
    ("reconnecting", "abort Waiting"),
    ("offline", "Connecting connect"),
    ("draining", "Closing close"),
    ("closing", "abort Closed"),
    ("failed", "none"),
];

fn name(action: Action) -> String {
    match action {
        Action::Changed(change) => format!("{:?}", change.to),
        Action::Abort(_) => "abort".into(),
        Action::Close(_) => "close".into(),
        Action::Preflight { .. } => "preflight".into(),
        Action::WantDial(_) => "want".into(),
        Action::Connect { .. } => "connect".into(),
        Action::AnswerPing(_) => "pong".into(),
        Action::SendPing { .. } => "ping".into(),
        Action::Flush(_) => "flush".into(),
        other => format!("{other:?}"),
    }
}

fn names(actions: &[Action]) -> String {
    let names: Vec<_> = actions.iter().copied().map(name).collect();
    if names.is_empty() {
        ".".into()
    } else {
        names.join(" ")
    }
}

#[test]
fn each_recipe_reaches_its_phase() {
    for (name, recipe) in PHASES {
        let expected = match name {
            "opened" => Phase::Connecting,
            "asked" => Phase::Waiting,
            name => Phase::ALL
                .into_iter()
                .find(|phase| phase.name() == name)
                .expect("a phase by its name"),
        };
        assert_eq!(recipe().link.phase(), expected, "{name}");
    }
}

#[test]
fn every_input_in_every_phase_does_what_the_table_says() {
    let mut wrong = Vec::new();
    for (input, event, row) in TABLE {
        for ((phase, recipe), expected) in PHASES.into_iter().zip(row) {
            let mut driver = recipe();
            let epoch = driver.link.status().epoch.unwrap_or_else(stale);
            let found = names(&driver.tell(event(epoch)));
            if found != expected {
                wrong.push(format!("{phase} × {input}: {found:?}, not {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_event_of_a_stale_epoch_does_nothing_in_every_phase() {
    let of_epochs: [Input; 12] = [
        Event::Reached,
        Event::Opened,
        Event::Ready,
        |e| Event::Closed(e, gone(Cause::Http(403))),
        |e| Event::Frame(e, Frame::Data),
        |e| Event::Frame(e, Frame::Ping),
        |e| Event::Frame(e, Frame::Pong(None)),
        |e| Event::Frame(e, Frame::Part),
        |e| Event::Progress(e, 9),
        |e| Event::Probed(e, true),
        Event::Permit,
        |e| Event::Hint(Hint::GoingAway(e, secs(1))),
    ];
    for (phase, recipe) in PHASES {
        for event in of_epochs {
            let mut driver = recipe();
            let event = event(stale());
            let (before, stats) = (driver.link.status(), driver.link.stats());
            assert_eq!(names(&driver.tell(event)), ".", "{phase} × {event:?}");
            assert_eq!(driver.link.status(), before, "{phase} × {event:?}");
            let counted = driver.link.stats();
            assert_eq!(counted.stale, stats.stale + 1, "{phase} × {event:?}");
        }
    }
}

#[test]
fn every_deadline_does_what_the_table_says() {
    for ((phase, recipe), (name, expected)) in PHASES.into_iter().zip(AT_DEADLINE) {
        assert_eq!(phase, name, "the two tables are in one order");
        let mut driver = recipe();
        let found = match driver.link.poll_timeout() {
            None => "none".into(),
            Some(due) => names(&driver.at(due, Event::Tick)),
        };
        assert_eq!(found, expected, "{phase}");
    }
}
