//! The options of a connected socket.

use socket2::SockRef;

/// Sends small writes at once, and bounds what waits below the link: the kernel holds at most
/// about `unsent` bytes that it has not sent, so that pings don't wait behind more than that.
///
/// It is `TCP_NODELAY`, and `TCP_NOTSENT_LOWAT` where there is one, for which bytes under way
/// don't count, so that a long fat line can still be filled; elsewhere `SO_SNDBUF`. Where an
/// option can't be set the connection works all the same, only less briskly.
pub fn tune(socket: &SockRef<'_>, unsent: usize) {
    let _ = socket.set_tcp_nodelay(true);
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let _ = socket.set_tcp_notsent_lowat(u32::try_from(unsent).unwrap_or(u32::MAX));
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    let _ = socket.set_send_buffer_size(unsent);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn options_are_set() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket = SockRef::from(&stream);
        tune(&socket, 10_000);
        assert!(socket.tcp_nodelay().unwrap());
        #[cfg(any(target_os = "android", target_os = "linux"))]
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), 10_000);
    }
}
