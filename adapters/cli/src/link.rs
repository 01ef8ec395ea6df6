//! The one place where this program makes a link.

use crate::target::Header;
use redial::Config;
use redial_tokio::{Handle, Incoming};
use std::io;

pub(crate) use redial_tokio::Message;

/// Starts to dial `url` and never gives up but for what `config` says.
pub(crate) fn open(
    url: &str,
    headers: &[Header],
    config: Config,
    seed: Option<u64>,
) -> io::Result<(Handle<Message>, Incoming<Message>)> {
    let mut builder = redial_tokio::websocket(url)
        .map_err(io::Error::other)?
        .config(config);
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
