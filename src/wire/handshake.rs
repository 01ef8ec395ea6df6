//! The fields of a hello and of a welcome.

use alloc::vec::Vec;

use super::read::{Reader, put_integer};
use super::{VERSION, WireError};
use crate::session::{Hello, ServerId, SessionId, Welcome};

/// What tells this protocol from others.
const MAGIC: [u8; 3] = *b"rdl";

/// A hello names the session to resume.
const SESSION: u8 = 1;
/// A welcome goes on with the session that was asked for.
const RESUMED: u8 = 1;

pub(super) fn parse_hello(reader: &mut Reader<'_>) -> Result<Hello, WireError> {
    let given = reader.array("magic")?;
    if given != MAGIC {
        return Err(WireError::Magic { given });
    }
    parse_version(reader)?;
    let session = if reader.flags(SESSION)? & SESSION == 0 {
        None
    } else {
        Some(SessionId::new(reader.array("session")?))
    };
    Ok(Hello {
        session,
        last_seen: reader.integer("last_seen")?,
        first: reader.integer("first")?,
        connection: reader.integer("connection")?,
    })
}

pub(super) fn put_hello(hello: &Hello, out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
    out.push(VERSION);
    match hello.session {
        None => out.push(0),
        Some(session) => {
            out.push(SESSION);
            out.extend_from_slice(&session.bytes());
        }
    }
    put_integer(hello.last_seen, out);
    put_integer(hello.first, out);
    put_integer(hello.connection, out);
}

pub(super) fn parse_welcome(reader: &mut Reader<'_>) -> Result<Welcome, WireError> {
    parse_version(reader)?;
    let resumed = reader.flags(RESUMED)? & RESUMED != 0;
    Ok(Welcome {
        resumed,
        session: SessionId::new(reader.array("session")?),
        server: ServerId::new(reader.array("server")?),
        last_seen: reader.integer("last_seen")?,
        intents: reader.integer("intents")?,
        first: reader.integer("first")?,
    })
}

pub(super) fn put_welcome(welcome: &Welcome, out: &mut Vec<u8>) {
    out.push(VERSION);
    out.push(if welcome.resumed { RESUMED } else { 0 });
    out.extend_from_slice(&welcome.session.bytes());
    out.extend_from_slice(&welcome.server.bytes());
    put_integer(welcome.last_seen, out);
    put_integer(welcome.intents, out);
    put_integer(welcome.first, out);
}

/// Before anything that another version may spell otherwise.
fn parse_version(reader: &mut Reader<'_>) -> Result<(), WireError> {
    match reader.byte("version")? {
        VERSION => Ok(()),
        given => Err(WireError::Version { given }),
    }
}
