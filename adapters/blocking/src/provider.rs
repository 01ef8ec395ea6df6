//! Where an attempt gets its address and credentials from: asked anew each time, off the link's
//! thread.

use std::sync::mpsc::{Sender, channel};
use std::{io, thread};

use redial::Epoch;
use redial_adapter::Failure;

use crate::request::Request;

/// The attempt for which a request is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// The number of this dial since the last reset, from 1.
    pub number: u32,
    /// Whether the last credentials were refused: fetch fresh ones.
    pub refresh: bool,
}

/// What the thread of a provider is called with.
pub(crate) type Asked = Box<dyn FnMut(Attempt) -> Result<Request, Failure> + Send>;

/// The thread on which a provider runs. It is one, as a provider is called for one attempt at a
/// time; one that hangs holds up nobody but itself.
pub(crate) struct Provider {
    jobs: Sender<(Epoch, Attempt)>,
}

impl Provider {
    pub(crate) fn start(
        mut asked: Asked,
        answer: impl Fn(Epoch, Result<Request, Failure>) + Send + 'static,
    ) -> io::Result<Self> {
        let (jobs, inbox) = channel::<(Epoch, Attempt)>();
        thread::Builder::new()
            .name("redial-provider".to_owned())
            .spawn(move || {
                while let Ok(mut job) = inbox.recv() {
                    // While the last call hung, attempts may have come and gone.
                    while let Ok(later) = inbox.try_recv() {
                        job = later;
                    }
                    let (epoch, attempt) = job;
                    answer(epoch, asked(attempt));
                }
            })?;
        Ok(Self { jobs })
    }

    /// Asks; false if the provider is gone, having panicked.
    pub(crate) fn ask(&self, epoch: Epoch, attempt: Attempt) -> bool {
        self.jobs.send((epoch, attempt)).is_ok()
    }
}
