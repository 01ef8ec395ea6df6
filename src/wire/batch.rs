//! Several messages in one frame.

use alloc::vec::Vec;

use super::frame::Kind;
use super::read::{Reader, length_of_integer, put_integer};
use super::{Frame, Head, WireError};

/// Several messages in one frame, in their order: data and intents only.
///
/// Whoever has one has looked at all of it: every part is a whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Batch<'a> {
    count: u64,
    /// Each part with its length before it.
    parts: &'a [u8],
}

impl<'a> Batch<'a> {
    /// The most messages in one batch.
    pub const MOST: usize = u16::MAX as usize;

    /// The frame that carries these frames, each of a message, as [`Frame::encode`] or
    /// [`Head::frame`] made them: one allocation, and a copy of each.
    ///
    /// # Errors
    /// If there are fewer than two or more than [`MOST`](Self::MOST), or one begins as no
    /// message does.
    pub fn join<'b, I>(frames: I) -> Result<Vec<u8>, WireError>
    where
        I: IntoIterator<Item = &'b [u8]>,
        I::IntoIter: Clone,
    {
        let frames = frames.into_iter();
        let (mut count, mut size) = (0_u64, 0_usize);
        for frame in frames.clone() {
            check_head(frame)?;
            count = count.saturating_add(1);
            size = size
                .saturating_add(length_of_integer(frame.len() as u64))
                .saturating_add(frame.len());
        }
        check_count(count)?;
        let head = 1 + length_of_integer(count);
        let mut out = Vec::with_capacity(size.saturating_add(head));
        out.push(Kind::Batch.byte());
        put_integer(count, &mut out);
        for frame in frames {
            put_integer(frame.len() as u64, &mut out);
            out.extend_from_slice(frame);
        }
        Ok(out)
    }

    /// The messages.
    pub fn frames(&self) -> impl Iterator<Item = Frame<'a>> + use<'a> {
        self.parts().map_while(|part| Frame::parse(part).ok())
    }

    /// The frames of the messages, as bytes.
    pub const fn parts(&self) -> Parts<'a> {
        Parts(Reader(self.parts))
    }

    /// How many messages there are, at least two.
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub const fn len(&self) -> u64 {
        self.count
    }

    /// To the end of the frame.
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let count = reader.integer("count")?;
        check_count(count)?;
        let all = reader.0;
        for _ in 0..count {
            let part = next_part(reader)?;
            let (head, payload) = check_head(part)?;
            head.with(payload)?;
        }
        // What is left is told as trailing by whoever called.
        let parts = all.len().saturating_sub(reader.0.len());
        let parts = all.get(..parts).unwrap_or_default();
        Ok(Self { count, parts })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_integer(self.count, out);
        out.extend_from_slice(self.parts);
    }
}

/// The frames in a batch, as bytes: from [`Batch::parts`].
#[derive(Clone, Debug)]
pub struct Parts<'a>(Reader<'a>);

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        // Nothing is left, in the end.
        next_part(&mut self.0).ok()
    }
}

fn next_part<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], WireError> {
    let length = reader.integer("length")?;
    reader.bytes(length, "part")
}

fn check_head(part: &[u8]) -> Result<(Head, &[u8]), WireError> {
    Head::parse(part)?.ok_or_else(|| WireError::Nested {
        kind: part.first().copied().unwrap_or_default(),
    })
}

const fn check_count(given: u64) -> Result<(), WireError> {
    if given >= 2 && given <= Batch::MOST as u64 {
        Ok(())
    } else {
        Err(WireError::BatchCount { given })
    }
}
