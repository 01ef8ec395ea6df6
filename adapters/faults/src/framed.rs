//! The server for framed TCP.

use crate::behaviour::Behaviour;
use crate::server::{Framing, Server};
use std::io;
use std::net::SocketAddr;
use std::ops::Deref;

/// A TCP server whose frames have a length of 4 bytes, big endian, before them.
///
/// The length counts what follows it: a tag of one byte (0 data, 1 ping, 2 pong, 3 close) and the
/// body, which is the payload, or the nonce of 8 bytes of a ping and its pong. Pings are answered.
/// There is no handshake, and a close frame has neither code nor answer: a FIN follows it. All
/// else, behaviours and counts, is that of [`Server`], to which it dereferences. Frames are at
/// most 64 MiB long.
#[derive(Debug)]
pub struct FramedServer(Server);

impl FramedServer {
    /// Starts a server on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When the socket or the thread can't be had from the system.
    pub fn start(behaviour: Behaviour) -> io::Result<Self> {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0)), behaviour)
    }

    /// Starts a server on an address of the caller's choice, such as that of an earlier one.
    ///
    /// # Errors
    /// When the address can't be bound within a second, or the system has no socket or thread.
    pub fn start_on(address: SocketAddr, behaviour: Behaviour) -> io::Result<Self> {
        Server::launch(address, behaviour, Framing::LengthPrefix, None).map(Self)
    }

    /// Stops listening and ends every connection with a FIN.
    pub fn shutdown(self) {
        self.0.shutdown();
    }

    /// Stops listening and ends every connection with an RST.
    pub fn kill(self) {
        self.0.kill();
    }
}

impl Deref for FramedServer {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}
