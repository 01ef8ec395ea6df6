//! Fields, one after the other: a reader that can't run over the end, and the integers.

use alloc::vec::Vec;

use super::WireError;

/// What is left of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next byte.
    pub(super) fn byte(&mut self, field: &'static str) -> Result<u8, WireError> {
        let [byte] = self.array(field)?;
        Ok(byte)
    }

    /// The next bytes, as many as there are in the array.
    pub(super) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], WireError> {
        let Some((taken, rest)) = self.0.split_first_chunk() else {
            return Err(WireError::Truncated { field });
        };
        self.0 = rest;
        Ok(*taken)
    }

    /// The next so many bytes.
    pub(super) fn bytes(&mut self, count: u64, field: &'static str) -> Result<&'a [u8], WireError> {
        let split = usize::try_from(count)
            .ok()
            .and_then(|count| self.0.split_at_checked(count));
        let Some((taken, rest)) = split else {
            return Err(WireError::Truncated { field });
        };
        self.0 = rest;
        Ok(taken)
    }

    /// The next integer.
    #[inline]
    pub(super) fn integer(&mut self, field: &'static str) -> Result<u64, WireError> {
        let mut value = 0;
        let mut shift = 0_u32;
        loop {
            let byte = self.byte(field)?;
            // The tenth byte has room for the last of the 64 bits only, and none follows it.
            if shift == 63 && byte > 1 {
                return Err(WireError::TooLarge { field });
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                // Nothing but zeros on top: a shorter form says the same.
                if byte == 0 && shift > 0 {
                    return Err(WireError::Overlong { field });
                }
                return Ok(value);
            }
            shift += 7;
        }
    }

    /// The flags, of which only those in `known` may be set.
    #[inline]
    pub(super) fn flags(&mut self, known: u8) -> Result<u8, WireError> {
        let given = self.byte("flags")?;
        if given & !known == 0 {
            Ok(given)
        } else {
            Err(WireError::Flags { given, known })
        }
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), WireError> {
        match self.0.len() {
            0 => Ok(()),
            count => Err(WireError::Trailing { count }),
        }
    }
}

/// Writes an integer: seven bits a byte, the lowest first, the top bit set on all but the last.
#[inline]
pub(super) fn put_integer(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(low_bits(value) | 0x80);
        value >>= 7;
    }
    out.push(low_bits(value));
}

/// How many bytes an integer takes: 1 to 10.
#[inline]
pub(super) const fn length_of_integer(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

const fn low_bits(value: u64) -> u8 {
    (value & 0x7f) as u8
}
