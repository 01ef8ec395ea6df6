//! Where an attempt gets its address and credentials from: asked anew each time, off the link's
//! thread.

use std::sync::mpsc::{Sender, channel};
use std::{io, thread};

use redial::{Closure, Epoch, cause};

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

/// Why a provider has no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the link makes of it: usually [`Cause::Credentials`](redial::Cause::Credentials),
    /// which is retried; a final cause ends the link.
    pub closure: Closure,
    /// The words for the log and for [`Handle::last_error`](crate::Handle::last_error).
    pub detail: String,
}

impl Failure {
    /// A failure that is retried by the schedule.
    pub fn new(detail: impl Into<String>) -> Self {
        Self {
            closure: cause::Cause::Credentials.into(),
            detail: detail.into(),
        }
    }
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
