//! TCP as every connector of this crate uses it: dialled, bounded, counted.

mod dial;
mod wire;

pub(crate) use self::dial::dial;
pub use self::wire::Wire;
