//! A driver for a runtime of one's own: plain std sockets, one thread, no other crate.
//!
//! Each message is a line, and `PING n` is answered by `PONG n`. The server at the end of this
//! file drops its first connection; what is sent during the outage arrives after it.
//!
//! ```text
//! cargo run --example custom_runtime
//! ```

use std::io::{BufRead, BufReader, ErrorKind, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant as Clock};

use redial::rng::{Seed, Seeded};
use redial::{Action, Cause, Command, Config, Event, Frame, Instant, Link, Phase, SendOptions};

fn main() -> Result<()> {
    let address = start_server()?;
    let origin = Clock::now();
    let now = || Instant::from_origin(origin.elapsed());
    let mut link = Link::new(Config::default(), Seeded::new(Seed::from_number(1), 0));
    let mut socket = None;
    let mut read = String::new();
    let mut echoes = Vec::new();

    link.handle(now(), Event::Command(Command::Start));
    send(&mut link, now(), ["one", "two", "three"]);
    while echoes.len() < 6 {
        // 1. Do what the link asks for. Doing it may be the source of the next event.
        while let Some(action) = link.poll_action() {
            match action {
                Action::Connect {
                    epoch, deadline, ..
                } => {
                    let within = deadline.since(now()).max(Duration::from_millis(1));
                    match TcpStream::connect_timeout(&address, within) {
                        Ok(stream) => {
                            socket = Some((epoch, BufReader::new(stream)));
                            link.handle(now(), Event::Opened(epoch));
                        }
                        Err(_) => link.handle(now(), Event::Closed(epoch, Cause::Lost.into())),
                    }
                }
                Action::Flush(epoch) => {
                    while let Some(next) = link.peek(now(), epoch) {
                        let id = next.id;
                        let written = write(socket.as_ref(), next.payload);
                        link.commit(now(), epoch, id);
                        if written {
                            link.handle(now(), Event::Flushed(epoch, id));
                        }
                    }
                }
                Action::SendPing { nonce, .. } => {
                    write(socket.as_ref(), &format!("PING {nonce}"));
                }
                Action::Abort(_) | Action::Close(_) => socket = None,
                Action::Changed(change) => {
                    println!("{} -> {}", change.from, change.to);
                    if change.to == Phase::Waiting {
                        send(&mut link, now(), ["four", "five", "six"]);
                    }
                }
                _ => {}
            }
        }

        // 2. Free the slots of messages by taking what became of them.
        while let Some(fate) = link.poll_fate() {
            println!("message {}: {:?}", fate.id, fate.outcome);
        }

        // 3. Wait for input, or until the link wants to be woken.
        let until = link.poll_timeout().expect("a started link has a deadline");
        let patience = until.since(now()).max(Duration::from_millis(1));
        let event = match &mut socket {
            None => {
                std::thread::sleep(patience);
                Event::Tick
            }
            Some((epoch, reader)) => {
                reader.get_ref().set_read_timeout(Some(patience))?;
                match reader.read_line(&mut read) {
                    Ok(length) if length > 0 => {
                        Event::Frame(*epoch, understand(&read, &mut echoes))
                    }
                    // What was read of a line stays in `read`.
                    Err(error) if timed_out(&error) => Event::Tick,
                    _ => Event::Closed(*epoch, Cause::Lost.into()),
                }
            }
        };
        match event {
            Event::Frame(..) => read.clear(),
            Event::Closed(..) => {
                read.clear();
                socket = None;
            }
            _ => {}
        }
        link.handle(now(), event);
    }
    println!("echoed: {echoes:?}");
    assert_eq!(echoes, ["one", "two", "three", "four", "five", "six"]);
    assert_eq!(link.stats().connected, 2);
    Ok(())
}

fn send(link: &mut Link<String, Seeded>, now: Instant, texts: [&str; 3]) {
    for text in texts {
        let sent = link.send(now, text.to_owned(), SendOptions::new());
        sent.expect("the link is started and its queue has room");
    }
}

/// Whether it was written. An error shows again on the next read, where the connection ends.
fn write(socket: Option<&(redial::Epoch, BufReader<TcpStream>)>, line: &str) -> bool {
    let line = format!("{line}\n");
    socket.is_some_and(|(_, reader)| reader.get_ref().write_all(line.as_bytes()).is_ok())
}

fn understand(line: &str, echoes: &mut Vec<String>) -> Frame {
    let line = line.trim_end();
    if let Some(nonce) = line.strip_prefix("PONG ") {
        return Frame::Pong(nonce.parse().ok());
    }
    echoes.push(line.to_owned());
    Frame::Data
}

fn timed_out(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// An echo server that drops its first connection after three lines.
fn start_server() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || -> Result<()> {
        for lines in [3, usize::MAX] {
            let (mut stream, _) = listener.accept()?;
            for line in BufReader::new(stream.try_clone()?).lines().take(lines) {
                let line = line?.replace("PING", "PONG");
                writeln!(stream, "{line}")?;
            }
        }
        Ok(())
    });
    Ok(address)
}
