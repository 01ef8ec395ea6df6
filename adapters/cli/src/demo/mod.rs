//! `redial demo`: a real client, a real server in its own process, and a proxy that makes faults.
//!
//! - `script`: the outages, one after the other;
//! - `pace`: how long they last, and the configuration of the link;
//! - `client`: the link, which sends a numbered message each 10 ms;
//! - `history`: the phases that it went through;
//! - `server`, `process`: the server's process, seen from inside and from here;
//! - `store`: where that keeps its sessions;
//! - `account`: what became of each message;
//! - `ticks`: what came the other way;
//! - `live`, `report`: what is seen meanwhile, and what stays.

mod account;
mod client;
mod history;
mod live;
mod pace;
mod process;
mod report;
mod script;
mod server;
mod store;
mod ticks;

pub(crate) use server::serve;

use crate::args::DemoOptions;
use client::Client;
use console::style;
use live::{Live, Now};
use pace::Pace;
use process::{Process, Shared};
use redial_faults::Proxy;
use report::Report;
use script::{Fault, Outcome, Stage};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use store::Place;
use tokio::time::sleep;

/// The exit code of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;
/// How often the moving line moves.
const FRAME: Duration = Duration::from_millis(100);
/// How long the last bytes may take from the proxy to the server.
const SETTLE: Duration = Duration::from_secs(3);

/// Runs the demonstration; 0 where all went as it should.
pub(crate) async fn run(options: DemoOptions) -> io::Result<u8> {
    let report = tokio::select! {
        report = play(&options) => report?,
        _ = tokio::signal::ctrl_c() => return Ok(INTERRUPTED),
    };
    let text = if options.json {
        eprint!("\n{}", report.text());
        format!("{}\n", report.json())
    } else {
        eprintln!();
        report.text()
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(u8::from(!report.passed()))
}

async fn play(options: &DemoOptions) -> io::Result<Report> {
    let pace = if options.fast { Pace::FAST } else { Pace::FULL };
    let seed = options.seed.unwrap_or_else(any_seed);
    let account = Shared::default();
    let store = Place::new()?;
    let server = {
        let (directory, account) = (store.path().to_owned(), Shared::clone(&account));
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        tokio::task::spawn_blocking(move || Process::start(anywhere, &directory, &account))
            .await??
    };
    let proxy = Proxy::start(server.address)?;
    let live = Live::new();
    introduce(&live, &pace, seed, &server, &proxy);
    let (client, ears) = Client::start(&proxy.url(), &pace, seed, Shared::clone(&account))?;
    let mut stage = Stage {
        pace,
        proxy,
        server: Some(server),
        store,
        account,
    };
    let shared = Shared::clone(&stage.account);
    let watching = watch(&live, &client, &shared);
    let script = async {
        let mut outcomes = outages(&mut stage, &client, &live).await?;
        let ended = client.finish().await;
        let counted = settle(&mut stage).await?;
        let account = stage.account();
        let mut until = account.next();
        for outcome in outcomes.iter_mut().rev() {
            outcome.missing = account.missing(outcome.from..until);
            until = outcome.from;
        }
        Ok(Report {
            seed,
            outcomes,
            totals: account.totals(),
            ticks: client.heard(),
            ended,
            counted,
        })
    };
    let report = tokio::select! {
        report = script => report,
        () = async { tokio::join!(client.work(ears), watching); } => {
            Err(io::Error::other("the link is gone"))
        }
    };
    live.done();
    report
}

/// Plays the outages, each once the link is stable again.
async fn outages(stage: &mut Stage, client: &Client, live: &Live) -> io::Result<Vec<Outcome>> {
    let history = &client.history;
    if !stage.calm(history).await {
        return Err(io::Error::other("the link did not connect"));
    }
    let mut outcomes = Vec::new();
    for next in Fault::ALL {
        live.begin(next);
        let noticed = |after, cause| live.noticed(after, cause);
        let outcome = stage.play(next, client, noticed).await?;
        live.end(&outcome);
        let back = outcome.recovered.is_some();
        outcomes.push(outcome);
        if !back {
            // The next outage would be measured against this one.
            break;
        }
    }
    Ok(outcomes)
}

/// Lets the server count what is still on its way, and ends it; whether its count is ours.
async fn settle(stage: &mut Stage) -> io::Result<bool> {
    let deadline = Instant::now() + SETTLE;
    while stage.proxy.stats().open > 0 && Instant::now() < deadline {
        sleep(Duration::from_millis(5)).await;
    }
    match stage.server.take() {
        Some(server) => tokio::task::spawn_blocking(|| server.settle()).await?,
        None => Ok(false),
    }
}

/// Keeps the moving line moving.
async fn watch(live: &Live, client: &Client, account: &Shared) {
    loop {
        let (sent, acked) = {
            let account = account.lock().unwrap_or_else(PoisonError::into_inner);
            (account.sent(), account.acked())
        };
        live.show(&Now {
            status: client.status(),
            next_attempt: client.next_attempt(),
            sent,
            acked,
        });
        sleep(FRAME).await;
    }
}

fn introduce(live: &Live, pace: &Pace, seed: u64, server: &Process, proxy: &Proxy) {
    let title = format!(
        "A client sends 100 numbered messages a second through {} outages.",
        Fault::ALL.len()
    );
    live.say(&format!("{}\n", style(title).bold()));
    live.say(&format!(
        "  server   process {} at {}, keeps its sessions on disk, counts what arrives",
        server.id(),
        server.address
    ));
    live.say(&format!("  proxy    at {}, makes the faults", proxy.addr()));
    live.say(&format!(
        "  client   redial-tokio, seed {seed}, through the proxy. Its times are short so that you"
    ));
    live.say("           need not wait; the library's own defaults are in brackets:");
    for line in pace.lines() {
        live.say(&format!("             {line}"));
    }
    live.say("");
}

/// A short number, so that it can be typed again.
fn any_seed() -> u64 {
    RandomState::new().build_hasher().finish() % 1_000_000
}
