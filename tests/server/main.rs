//! The server's half of a session, alone.

mod ended;
mod restored;
