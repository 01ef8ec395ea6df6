//! The listening socket of a proxy: open, shut, or with its queue filled up.

use crate::engine::LISTENER;
use crate::net::{self, BACKLOG};
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry};
use socket2::{Domain, SockRef, Socket, Type};
use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;

/// A buffer size larger than the kernel allows: it takes the largest that it does allow.
pub(super) const ROOMY: usize = 4 << 20;
/// More connects than a queue of length zero holds, by one and a spare.
const FILLERS: usize = 3;

/// The listening socket.
pub(super) struct Gate {
    address: SocketAddr,
    state: State,
    // Ports of our own connects that may still be in the queue.
    fillers: HashSet<u16>,
    narrow: bool,
}

enum State {
    Open(TcpListener),
    // The queue is full: the kernel drops every further SYN.
    Full(TcpListener, Vec<Socket>),
    // Bound and not listening: the kernel answers RST, and gives the port to nobody else.
    Shut(Option<Socket>),
}

impl Gate {
    pub(super) fn new(address: SocketAddr, registry: &Registry) -> io::Result<Self> {
        let mut listener = net::listen(net::bind_again(address)?)?;
        registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        let address = listener.local_addr()?;
        Ok(Self {
            address,
            state: State::Open(listener),
            fillers: HashSet::new(),
            narrow: false,
        })
    }

    /// Listens, whatever it did before.
    pub(super) fn open(&mut self, registry: &Registry) -> io::Result<()> {
        self.state = match std::mem::replace(&mut self.state, State::Shut(None)) {
            State::Open(listener) => State::Open(listener),
            State::Full(listener, fillers) => {
                drop(fillers);
                SockRef::from(&listener).listen(BACKLOG)?;
                State::Open(listener)
            }
            State::Shut(reserved) => {
                let socket = reserved.map_or_else(|| net::bind_again(self.address), Ok)?;
                let mut listener = net::listen(socket)?;
                registry.register(&mut listener, LISTENER, Interest::READABLE)?;
                self.narrow = false;
                State::Open(listener)
            }
        };
        Ok(())
    }

    /// Stops listening and resets what waits in the queue; the port stays bound.
    pub(super) fn shut(&mut self) -> io::Result<()> {
        if let State::Shut(Some(_)) = self.state {
            return Ok(());
        }
        // The old socket must be gone before the new one can be bound.
        self.state = State::Shut(None);
        self.fillers.clear();
        self.state = State::Shut(Some(net::bind_again(self.address)?));
        Ok(())
    }

    /// Fills the queue of a listening socket, so that a connect from now on hangs.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        if let State::Open(listener) = std::mem::replace(&mut self.state, State::Shut(None)) {
            SockRef::from(&listener).listen(0)?;
            let mut fillers = Vec::new();
            for _ in 0..FILLERS {
                let filler = Socket::new(Domain::for_address(self.address), Type::STREAM, None)?;
                filler.set_nonblocking(true)?;
                // Still under way is as good as connected: the queue is full either way.
                let _ = filler.connect(&self.address.into());
                if let Some(local) = filler.local_addr()?.as_socket() {
                    self.fillers.insert(local.port());
                }
                fillers.push(filler);
            }
            self.state = State::Full(listener, fillers);
        }
        Ok(())
    }

    /// Gives connections accepted from now on a small receive buffer, or again a large one.
    pub(super) fn narrow(&mut self, buffer: Option<usize>) {
        if let State::Open(listener) = &self.state {
            if buffer.is_some() || self.narrow {
                // A socket inherits it before its handshake, when the window is first told.
                let _ = SockRef::from(listener).set_recv_buffer_size(buffer.unwrap_or(ROOMY));
                self.narrow = buffer.is_some();
            }
        }
    }

    /// Takes a connection out of the queue.
    pub(super) fn accept(&mut self) -> io::Result<TcpStream> {
        let State::Open(listener) = &self.state else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        loop {
            match listener.accept() {
                Ok((_, peer)) if self.fillers.remove(&peer.port()) => {}
                Ok((stream, _)) => return Ok(stream),
                Err(error) => {
                    if error.kind() == io::ErrorKind::WouldBlock {
                        self.fillers.clear();
                    }
                    return Err(error);
                }
            }
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}
