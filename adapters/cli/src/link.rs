//! The one place where this program makes a link.

use crate::target::Header;
use redial::Config;
use redial_tokio::wire::Wire;
use redial_tokio::{Handle, Incoming};
use std::io;

pub(crate) use redial_tokio::Message;

/// Starts to dial `url` and never gives up but for what `config` says.
///
/// A `config` with a session is for a server that speaks redial's wire protocol.
pub(crate) fn open(
    url: &str,
    headers: &[Header],
    config: Config,
    seed: Option<u64>,
) -> io::Result<(Handle<Message>, Incoming<Message>)> {
    let has_session = config.session().is_some();
    let mut builder = redial_tokio::websocket(url)
        .map_err(io::Error::other)?
        .config(config);
    if has_session {
        builder = builder.protocol(Wire::new());
    }
    for header in headers {
        let value = header.value.to_str().map_err(io::Error::other)?;
        builder = builder
            .header(header.name.as_str(), value)
            .map_err(io::Error::other)?;
    }
    if let Some(seed) = seed {
        builder = builder.seed(seed);
    }
    Ok(builder.spawn())
}
