//! Sockets as both the proxy and the servers need them.

use mio::net::{TcpListener, TcpStream};
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

/// How many connections the kernel keeps for a listener that does not accept.
pub(crate) const BACKLOG: i32 = 1024;
/// How long a socket that was shut is read on, so that its close stays a FIN.
pub(crate) const LINGER: Duration = Duration::from_secs(2);
/// The size of one read.
pub(crate) const CHUNK: usize = 64 * 1024;

/// A socket bound to `address` that does not listen: a connect is answered with RST.
pub(crate) fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // On Windows the option would allow two listeners on one port.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Binds and retries for a second: a port just given up may be held for a moment.
pub(crate) fn bind_again(address: SocketAddr) -> io::Result<Socket> {
    let deadline = Instant::now() + Duration::from_secs(1);
    loop {
        match bind(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(2));
            }
            other => return other,
        }
    }
}

/// Turns a bound socket into a listener.
pub(crate) fn listen(socket: Socket) -> io::Result<TcpListener> {
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Whether a connect that does not block has begun, rather than failed at once.
pub(crate) fn is_under_way(error: &io::Error) -> bool {
    // The standard library has no stable name for EINPROGRESS.
    let in_progress = if cfg!(any(target_os = "linux", target_os = "android")) {
        115
    } else {
        36
    };
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(in_progress)
}

/// Makes the close that follows an RST; the caller drops the stream.
pub(crate) fn reset(stream: &TcpStream) {
    // Fails only on a socket that is already gone.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// Sends a FIN; what the peer still sends is to be read with [`discard`].
pub(crate) fn finish(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
}

/// Reads and throws away what has arrived; true when the peer has ended.
pub(crate) fn discard(mut stream: impl Read, scratch: &mut [u8]) -> bool {
    loop {
        match stream.read(scratch) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}
