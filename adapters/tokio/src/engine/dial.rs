//! The attempt, or the probe, under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use redial::{Epoch, Event};
use redial_adapter::Opening;

use super::greet::greeted;
use super::line::{Line, Stage};
use super::{Boxed, Engine, Seat};
use crate::codec::Codec;
use crate::connector::{Connector, Failure};

/// An attempt under way.
pub(super) struct Dial<T> {
    pub(super) epoch: Epoch,
    pub(super) opening: Opening,
    pub(super) future: Boxed<Result<T, Failure>>,
    pub(super) reached: Arc<AtomicBool>,
    pub(super) told: bool,
}

impl<C, D> Engine<C, D>
where
    C: Connector<D::Transport>,
    D: Codec,
{
    pub(super) fn poll_dial<S: Seat<D::Message>>(&mut self, cx: &mut Context<'_>, seat: &mut S) {
        let Some(dial) = &mut self.dial else {
            return;
        };
        let (epoch, opening) = (dial.epoch, dial.opening);
        let result = dial.future.as_mut().poll(cx);
        if !dial.told && dial.reached.load(Ordering::Relaxed) {
            dial.told = true;
            self.events.push(Event::Reached(epoch));
        }
        let Poll::Ready(result) = result else {
            return;
        };
        self.dial = None;
        match result {
            Ok(transport) => {
                self.readable = true;
                let stage = match (&self.handshake, &self.talk) {
                    (Some(_), _) => Stage::Greeting,
                    (None, Some(_)) => Stage::Begin,
                    (None, None) => Stage::Ready,
                };
                let line = Line::new(epoch, opening, stage, transport);
                let line = self.line.insert(line);
                self.events.push(Event::Opened(epoch));
                if let Some(handshake) = &mut self.handshake {
                    let greeting = handshake.begin(opening);
                    let protocol = self.talk.is_some();
                    if let Some(failure) = greeted(line, &mut self.events, greeting, protocol) {
                        self.refused(failure, seat);
                    }
                }
            }
            Err(failure) => {
                tracing::info!(
                    target: "redial", epoch = epoch.number(), cause = %failure.closure.cause,
                    detail = %failure.detail, "attempt failed"
                );
                self.events.push(Event::Closed(epoch, failure.closure));
                seat.note(failure.detail);
            }
        }
    }

    pub(super) fn poll_probe(&mut self, cx: &mut Context<'_>) {
        let Some((epoch, future)) = &mut self.probe else {
            return;
        };
        if let Poll::Ready(there) = future.as_mut().poll(cx) {
            self.events.push(Event::Probed(*epoch, there));
            self.probe = None;
        }
    }
}
