//! A peer that pings for ever and reads nothing, without a socket.

use std::io::{Error, ErrorKind, Read, Result, Write};

/// The wire to such a peer: reading yields the frames of a WebSocket server's pings without end,
/// 125 bytes each, and writing always would block.
///
/// For tests of what a client holds in memory meanwhile.
#[derive(Clone, Debug, Default)]
pub struct PingFlood {
    sent: usize,
}

/// Two bytes of head, and the longest payload that a control frame may have.
const FRAME: usize = 127;

impl Read for PingFlood {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        for byte in buffer.iter_mut() {
            *byte = match self.sent % FRAME {
                0 => 0x89,
                1 => 125,
                _ => 0,
            };
            self.sent += 1;
        }
        Ok(buffer.len())
    }
}

impl Write for PingFlood {
    fn write(&mut self, _: &[u8]) -> Result<usize> {
        Err(Error::from(ErrorKind::WouldBlock))
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
