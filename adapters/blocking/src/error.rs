//! How an attempt or a connection ended, by the name that it has in this crate.

pub(crate) use redial_adapter::Failure as Ended;
