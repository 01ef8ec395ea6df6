//! The phases of a link, and every way from one to another.

/// Where a link stands, as its user sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum Phase {
    /// Not started, or ended in order. Final until `Start` or `Reconnect`.
    Closed,
    /// Before the first dial: asking whether the server is there.
    Probing,
    /// Dialling, and not connected before since the start.
    Connecting,
    /// Messages flow.
    Connected,
    /// Disconnected, the next dial has its time.
    Waiting,
    /// Dialling, after having been connected since the start.
    Reconnecting,
    /// Disconnected, and a hint says that there is no network.
    Offline,
    /// Takes no new messages and writes out the old ones, connected or not.
    Draining,
    /// The close handshake is under way.
    Closing,
    /// Ended by a fatal cause or a spent limit. Final until `Start` or `Reconnect`.
    Failed,
}

impl Phase {
    /// Every phase, in the order of the table.
    pub const ALL: [Self; 10] = [
        Self::Closed,
        Self::Probing,
        Self::Connecting,
        Self::Connected,
        Self::Waiting,
        Self::Reconnecting,
        Self::Offline,
        Self::Draining,
        Self::Closing,
        Self::Failed,
    ];

    /// Whether the link does nothing more by itself.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Closed | Self::Failed)
    }

    /// Its name in lower case, for logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Probing => "probing",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Waiting => "waiting",
            Self::Reconnecting => "reconnecting",
            Self::Offline => "offline",
            Self::Draining => "draining",
            Self::Closing => "closing",
            Self::Failed => "failed",
        }
    }

    /// Where a link can go from here, in one step: the published transition table.
    ///
    /// ```text
    ///                    start                opened, ready
    ///   Closed ──────────────────▶ Connecting ─────────────▶ Connected
    ///     ▲  │ start, if a           │    ▲                    │   ▲
    ///     │  │ preflight is asked    │    │ due                │   │ opened, ready
    ///     │  ▼                fails  ▼    │              ends  ▼   │
    ///     │ Probing ─────────────▶ Waiting ◀──────────────── (lost)│
    ///     │   │  there: Connecting   │ ▲ │ due, was connected      │
    ///     │   └──────────────────▶   │ │ └──────────▶ Reconnecting ┘
    ///     │                  offline ▼ │ online           │ fails: Waiting
    ///     │                        Offline ───────────────┘ recheck: Connecting, Reconnecting
    ///     │
    ///     │ closed, or its deadline
    ///   Closing ◀── disconnect, or drained ── Connected, Draining
    ///
    ///   Draining: from every phase that is not final, by drain. It ends in Closing or Closed.
    ///   Failed:   from every phase that probes, dials or is connected, by a fatal cause or a
    ///             spent limit; a drain that meets one ends in Closed.
    ///   Closed:   from every phase by disconnect; from Closed and Failed, start dials again.
    /// ```
    pub const fn successors(self) -> &'static [Self] {
        use Phase::{
            Closed, Closing, Connected, Connecting, Draining, Failed, Offline, Probing,
            Reconnecting, Waiting,
        };
        match self {
            Closed => &[Probing, Connecting, Waiting],
            // A disconnect hands a failed link's queue back. Out of a close only a start leads
            // before the end, and with it nothing was connected yet.
            Failed | Closing => &[Closed, Probing, Connecting, Waiting],
            Probing => &[Closed, Connecting, Waiting, Offline, Draining, Failed],
            Connecting | Reconnecting => &[
                Closed, Connected, Waiting, Offline, Draining, Closing, Failed,
            ],
            Connected => &[
                Closed,
                Waiting,
                Reconnecting,
                Offline,
                Draining,
                Closing,
                Failed,
            ],
            Waiting => &[Closed, Probing, Connecting, Reconnecting, Offline, Draining],
            Offline => &[Closed, Probing, Connecting, Reconnecting, Waiting, Draining],
            // A reconnect calls a drain off; a fatal cause ends it in Closed.
            Draining => &[Closed, Probing, Connecting, Reconnecting, Waiting, Closing],
        }
    }

    /// Whether one step leads from here to `to`.
    pub fn may_become(self, to: Self) -> bool {
        self.successors().contains(&to)
    }
}

impl core::fmt::Display for Phase {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}
