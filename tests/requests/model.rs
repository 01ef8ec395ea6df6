//! The reference: a list of every request ever asked, searched from end to end each time.

use redial::requests::{RequestOptions, Settings};

/// Times and durations are numbers of nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    settings: Settings,
    pub(crate) now: u64,
    pub(crate) line: Line,
    pub(crate) all: Vec<Request>,
    /// Outcomes in the order in which they came about, those taken too.
    pub(crate) told: Vec<(u64, Fate)>,
    pub(crate) taken: usize,
    pub(crate) late: u64,
    pub(crate) unknown: u64,
    pub(crate) sent: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Up,
    Down,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Answered,
    Cancelled,
    AttemptsSpent,
    TimeSpent,
    Closed,
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) payload: Vec<u8>,
    pub(crate) attempt: u32,
    max_attempts: u32,
    first: u64,
    total: Option<u64>,
    /// Whether it is to be sent.
    waits: bool,
    /// The deadline of the attempt under way.
    due: Option<u64>,
    pub(crate) sent: bool,
    pub(crate) fate: Option<Fate>,
}

/// What can be said of a request that wants to come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Closed,
    Full,
    TooLarge,
}

fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("settings of a test")
}

impl Model {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            now: 0,
            line: Line::Down,
            all: Vec::new(),
            told: Vec::new(),
            taken: 0,
            late: 0,
            unknown: 0,
            sent: 0,
        }
    }

    /// The timeout of an attempt: multiplied step by step, rounded up, never above the cap, or
    /// above the first where that is longer.
    fn timeout(&self, request: &Request) -> u64 {
        let (up, low) = (
            self.settings.factor.numerator,
            self.settings.factor.denominator,
        );
        let cap = nanos(self.settings.cap).max(request.first);
        let mut timeout = u128::from(request.first);
        for _ in 1..request.attempt {
            timeout = (timeout * u128::from(up)).div_ceil(u128::from(low));
            timeout = timeout.min(u128::from(cap));
        }
        u64::try_from(timeout).expect("below the cap")
    }

    pub(crate) fn pending(&self) -> impl Iterator<Item = (usize, &Request)> {
        let all = self.all.iter().enumerate();
        all.filter(|(_, request)| request.fate.is_none())
    }

    pub(crate) fn count(&self, fate: Fate) -> u64 {
        self.all.iter().filter(|r| r.fate == Some(fate)).count() as u64
    }

    /// Requests that take room: pending, or with an outcome that was not taken.
    fn held(&self) -> Vec<&Request> {
        let untaken = self.told.iter().skip(self.taken);
        let untaken = untaken.map(|(id, _)| &self.all[usize::try_from(id - 1).expect("small")]);
        self.pending().map(|(_, r)| r).chain(untaken).collect()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.held().iter().map(|r| r.payload.len()).sum()
    }

    pub(crate) fn ask(
        &mut self,
        payload: Vec<u8>,
        first: Option<std::time::Duration>,
        total: Option<std::time::Duration>,
        max_attempts: Option<u32>,
    ) -> Result<u64, Refusal> {
        if self.line == Line::Closed {
            return Err(Refusal::Closed);
        }
        if payload.len() > self.settings.bytes {
            return Err(Refusal::TooLarge);
        }
        let bytes = self.bytes() + payload.len();
        if self.held().len() == self.settings.requests || bytes > self.settings.bytes {
            return Err(Refusal::Full);
        }
        let total = total.or(self.settings.total);
        self.all.push(Request {
            payload,
            attempt: 1,
            max_attempts: max_attempts.unwrap_or(self.settings.max_attempts),
            first: nanos(first.unwrap_or(self.settings.timeout)),
            total: total.map(|total| self.now.saturating_add(nanos(total))),
            waits: true,
            due: None,
            sent: false,
            fate: None,
        });
        Ok(self.all.len() as u64)
    }

    /// The number of the next to be sent.
    pub(crate) fn next(&self) -> Option<u64> {
        if self.line != Line::Up {
            return None;
        }
        let (index, _) = self.pending().find(|(_, request)| request.waits)?;
        Some(index as u64 + 1)
    }

    pub(crate) fn sent(&mut self, id: u64) -> bool {
        let Some(index) = self.index(id) else {
            return false;
        };
        if self.line != Line::Up || self.all[index].fate.is_some() || !self.all[index].waits {
            return false;
        }
        let due = self.now.saturating_add(self.timeout(&self.all[index]));
        let request = &mut self.all[index];
        request.waits = false;
        request.sent = true;
        request.due = Some(due);
        self.sent += 1;
        true
    }

    fn index(&self, id: u64) -> Option<usize> {
        let index = usize::try_from(id.checked_sub(1)?).ok()?;
        (index < self.all.len()).then_some(index)
    }

    /// Whether the answer settles it.
    pub(crate) fn answer(&mut self, id: u64) -> bool {
        match self.index(id) {
            Some(index) if self.all[index].fate.is_some() => self.late += 1,
            Some(index) if self.all[index].sent => {
                self.all[index].fate = Some(Fate::Answered);
                return true;
            }
            _ => self.unknown += 1,
        }
        false
    }

    pub(crate) fn cancel(&mut self, id: u64) -> bool {
        match self.index(id) {
            Some(index) if self.all[index].fate.is_none() => {
                self.all[index].fate = Some(Fate::Cancelled);
                true
            }
            _ => false,
        }
    }

    pub(crate) fn up(&mut self, fresh: bool) {
        self.line = Line::Up;
        for index in 0..self.all.len() {
            let due = self.now.saturating_add(self.timeout(&self.all[index]));
            let request = &mut self.all[index];
            if request.fate.is_none() && !request.waits {
                request.waits = fresh;
                request.due = (!fresh).then_some(due);
            }
        }
    }

    pub(crate) fn down(&mut self) {
        self.line = Line::Down;
        for request in &mut self.all {
            request.due = None;
        }
    }

    pub(crate) fn close(&mut self) {
        self.line = Line::Closed;
        for (id, request) in (1..).zip(&mut self.all) {
            if request.fate.is_none() {
                request.fate = Some(Fate::Closed);
                self.told.push((id, Fate::Closed));
            }
        }
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        self.earliest().map(|(at, _, _)| at)
    }

    /// The first deadline, whose it is, and whether it is of the whole request.
    fn earliest(&self) -> Option<(u64, usize, bool)> {
        let all = self.pending().flat_map(|(index, request)| {
            let total = request.total.map(|at| (at, index, true));
            let attempt = request.due.map(|at| (at, index, false));
            // At the same time the whole goes first.
            [total, attempt].into_iter().flatten()
        });
        all.min_by_key(|(at, index, _)| (*at, *index))
    }

    pub(crate) fn fire(&mut self) {
        while let Some((at, index, whole)) = self.earliest() {
            if at > self.now {
                break;
            }
            let request = &mut self.all[index];
            let fate = if whole {
                Fate::TimeSpent
            } else if request.attempt < request.max_attempts {
                request.attempt += 1;
                request.waits = true;
                request.due = None;
                continue;
            } else {
                Fate::AttemptsSpent
            };
            request.fate = Some(fate);
            self.told.push((index as u64 + 1, fate));
        }
    }
}

/// What a request may ask of its own.
pub(crate) fn options(
    first: Option<std::time::Duration>,
    total: Option<std::time::Duration>,
    max_attempts: Option<u32>,
) -> RequestOptions {
    let mut options = RequestOptions::new();
    if let Some(first) = first {
        options = options.timeout(first);
    }
    if let Some(total) = total {
        options = options.total(total);
    }
    if let Some(attempts) = max_attempts {
        options = options.max_attempts(attempts);
    }
    options
}
