//! Either end begins anew: another process, with its memory or without.

use core::time::Duration;

use redial::session::ServerId;
use redial::{Command, Event, Link};

use super::client::Client;
use super::draw::Draw;
use super::ledger::Writer;
use super::{Tested, World, tell};

impl World {
    /// Another process, with what was carried over or with nothing.
    pub fn restart_client(&mut self, draw: &mut Draw) -> Tested {
        let config = self.client.link.config().clone();
        let lives = self.client.lives + 1;
        if let Some((at, _)) = self.client.line(&self.pipes) {
            self.pipes[at].leave_client();
            self.writers[self.client.writer].lost();
        }
        let old = self.client.writer;
        if draw.once_in(4) {
            tell(|| "  client is wiped".into());
            self.keep_stats();
            self.writers[old].wiped = true;
            self.writers.push(Writer::default());
            self.client = Client::new(config, self.writers.len() - 1, lives);
        } else {
            tell(|| "  client is restarted".into());
            self.keep_stats();
            let writer = &mut self.writers[old];
            let away = draw.pick(&[Duration::ZERO, Duration::from_millis(200)]);
            let fresh = Client::new(config.clone(), old, lives);
            let before = core::mem::replace(&mut self.client, fresh);
            let rng = self.client.link.rng().clone();
            let carryover = before.link.into_carryover();
            self.now = self.now + away;
            let link = Link::revive(config, rng, self.now, carryover, away);
            self.client.link = link.map_err(|rejected| format!("law 10: {rejected}"))?;
            self.client.reader = before.reader;
            self.client.session = before.session;
            self.client.declared = before.declared;
            self.client.numbers = before.numbers;
            self.client.wants = before.wants;
            for want in &mut self.client.wants {
                want.until = None;
            }
            writer.unsure = false;
        }
        self.client_fates()?;
        self.client_event(Event::Command(Command::Start))?;
        self.tick()
    }

    fn keep_stats(&mut self) {
        let stats = self.client.link.stats();
        self.totals.resumed += stats.resumed;
        self.totals.fresh += stats.fresh;
        self.totals.missed += stats.missed;
        self.totals.duplicates += stats.duplicates;
    }

    /// Another run of the server, with its sessions or without.
    pub fn restart_server(&mut self, draw: &mut Draw) -> Tested {
        self.runs += 1;
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.runs.to_le_bytes());
        self.server = ServerId::new(bytes);
        let keep = !draw.once_in(3);
        tell(|| format!("  server is restarted, with its sessions: {keep}"));
        if !keep {
            for (id, seat) in core::mem::take(&mut self.sessions) {
                self.writers[seat.writer].wiped = true;
                self.past.insert(id, seat.writer);
            }
        }
        if draw.once_in(2) {
            return self.restore_sessions(draw);
        }
        for at in 0..self.pipes.len() {
            self.server_closed(at)?;
        }
        Ok(())
    }

    /// The sessions come back from where they were written down.
    fn restore_sessions(&mut self, draw: &mut Draw) -> Tested {
        let away = draw.pick(&[Duration::ZERO, Duration::from_millis(200)]);
        self.now = self.now + away;
        for pipe in &mut self.pipes {
            pipe.leave_server();
        }
        for seat in self.sessions.values_mut() {
            seat.session = seat.session.clone().restored(self.now, away);
            (seat.pipe, seat.committed, seat.owes) = (None, None, None);
            let ends = self.now + seat.session.settings().window;
            seat.expires = Some(ends).filter(|_| !seat.session.is_over());
            self.writers[seat.writer].lost();
        }
        self.tick()
    }
}
