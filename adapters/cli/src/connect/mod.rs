//! `redial connect`: joins stdin and stdout to a WebSocket that reconnects by itself.
//!
//! - `session`: what goes on between the two ends;
//! - `status`: what is told on stderr meanwhile.

mod session;
mod status;

use crate::args::ConnectOptions;
use crate::link;
use redial::Config;
use redial::heartbeat::Pulse;
use redial::outbox::{Delivery, Limits, Overflow};
use redial::session::Settings;
use session::Session;
use status::Teller;
use std::io;
use std::time::Duration;

/// Runs until stdin, the server or the user ends it; the exit code.
pub(crate) async fn run(options: ConnectOptions) -> io::Result<u8> {
    let config = config(&options).map_err(io::Error::other)?;
    let url = options.url.to_string();
    let (handle, incoming) = link::open(&url, &options.headers, config, None)?;
    let teller = Teller::new(&options);
    Session::new(handle, incoming, teller, options).run().await
}

fn config(options: &ConnectOptions) -> Result<Config, redial::ConfigError> {
    Config::builder()
        .connect_deadline(options.connect_timeout)
        .patience(options.connect_timeout.max(Duration::from_secs(160)))
        .heartbeat(Pulse {
            interval: Some(options.ping),
            hidden_interval: None,
            ..Pulse::default()
        })
        .max_retries(options.max_retries)
        .outbox(Limits {
            // Stdin waits instead: nothing that was read is dropped.
            overflow: Overflow::RejectNew,
            delivery: if options.session {
                Delivery::Acknowledged
            } else {
                Delivery::AtMostOnce
            },
            ..Limits::default()
        })
        .session(options.session.then(Settings::default))
        .build()
}
