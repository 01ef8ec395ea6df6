//! The server's half of a session, alone.

mod restored;
