//! Operations on a link, and their answers.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use redial_tokio::redial::{IntentId, Refused, SendOptions};
use redial_tokio::websocket::{Provider, WebSocketBuilder};
use redial_tokio::{Handle, Incoming, Message};
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use crate::protocol::GraphqlTransport;
use crate::words::{self, Envelope, Request};

/// How many answers wait for a subscriber that does not take them. When they are full no
/// operation of the link gets any more, and the server is slowed down.
const WAITING: usize = 64;

/// A client that stays subscribed. Clones are clients of the same link.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

/// One operation; dropping it ends it.
pub struct Operation {
    id: String,
    answers: mpsc::Receiver<Answer>,
    shared: Arc<Shared>,
}

/// What the server says to an operation.
#[derive(Debug)]
pub enum Answer {
    /// A result, as JSON.
    Next(Box<RawValue>),
    /// It failed, with these errors, as JSON; nothing follows.
    Errors(Option<Box<RawValue>>),
    /// It is complete; nothing follows.
    Complete,
}

struct Shared {
    handle: Handle<Message>,
    routes: Routes,
}

/// The operations that are not over. Kept apart from the link, so that the task that reads does
/// not keep the link alive.
type Routes = Arc<Mutex<Table>>;

#[derive(Default)]
struct Table {
    /// The id of the last operation. None is used twice.
    last: u64,
    operations: HashMap<String, Route>,
}

struct Route {
    intent: IntentId,
    answers: mpsc::Sender<Answer>,
}

impl Client {
    /// Starts a link that speaks this protocol; `builder` needs the header
    /// `Sec-WebSocket-Protocol: graphql-transport-ws`.
    pub fn spawn<P: Provider>(builder: WebSocketBuilder<P>, protocol: GraphqlTransport) -> Self {
        let (handle, incoming) = builder.protocol(protocol).spawn();
        let shared = Arc::new(Shared {
            handle,
            routes: Routes::default(),
        });
        let routes = Arc::clone(&shared.routes);
        tokio::spawn(route(incoming, routes, Arc::downgrade(&shared)));
        Self { shared }
    }

    /// Begins an operation, now or as soon as there is a connection, and again on each later one
    /// until the server has completed it or it is dropped. Operations begin in order.
    ///
    /// Made for subscriptions and queries. A mutation whose connection ends before its result is
    /// here would be executed again: give it a key that makes it idempotent.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the link takes no more intents.
    pub fn begin(&self, request: impl Into<Request>) -> Result<Operation, Refused<Message>> {
        let (sender, answers) = mpsc::channel(WAITING);
        // Held until the route is there: its first answer finds it.
        let mut table = lock(&self.shared.routes);
        table.last += 1;
        let id = table.last.to_string();
        let subscribe = words::subscribe(&id, &request.into());
        let intent = self.shared.handle.declare(subscribe)?;
        let route = Route {
            intent,
            answers: sender,
        };
        table.operations.insert(id.clone(), route);
        drop(table);
        Ok(Operation {
            id,
            answers,
            shared: Arc::clone(&self.shared),
        })
    }

    /// The link: its status, its commands.
    pub fn link(&self) -> &Handle<Message> {
        &self.shared.handle
    }
}

impl Operation {
    /// The next answer; `None` after the last one, or when the link has ended.
    ///
    /// Cancel-safe: an answer is taken in the moment in which this returns it.
    pub async fn next(&mut self) -> Option<Answer> {
        self.answers.recv().await
    }

    /// Its id on the wire.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        let Some(route) = lock(&self.shared.routes).operations.remove(&self.id) else {
            return;
        };
        self.shared.handle.withdraw(route.intent);
        self.shared.complete(&self.id);
    }
}

impl Shared {
    /// Tells the server, if it is there; else it has forgotten the operation anyway.
    fn complete(&self, id: &str) {
        let options = SendOptions::new().volatile();
        let _ = self.handle.try_send_with(words::complete(id), options);
    }
}

/// Takes what comes in to its operation, until the link has ended.
async fn route(mut incoming: Incoming<Message>, routes: Routes, shared: Weak<Shared>) {
    while let Some(message) = incoming.recv().await {
        // The protocol has let it pass, so it is one of the three and has an id.
        let Some(said) = Envelope::read(&message) else {
            continue;
        };
        let Some(id) = said.id else { continue };
        let payload = said.payload.map(ToOwned::to_owned);
        let answer = match (said.kind.as_str(), payload) {
            ("next", Some(result)) => Answer::Next(result),
            ("error", errors) => Answer::Errors(errors),
            ("complete", _) => Answer::Complete,
            _ => continue,
        };
        let over = !matches!(answer, Answer::Next(_));
        let sender = {
            let mut table = lock(&routes);
            if over {
                let route = table.operations.remove(&id);
                if let (Some(route), Some(shared)) = (&route, shared.upgrade()) {
                    shared.handle.withdraw(route.intent);
                }
                route.map(|route| route.answers)
            } else {
                let route = table.operations.get(&id);
                route.map(|route| route.answers.clone())
            }
        };
        match sender {
            // It fails where the operation was dropped meanwhile, which has told the server.
            Some(sender) => drop(sender.send(answer).await),
            // It was over when a reconnect began it once more.
            None if !over => {
                if let Some(shared) = shared.upgrade() {
                    shared.complete(&id);
                }
            }
            None => {}
        }
    }
    lock(&routes).operations.clear();
}

fn lock(routes: &Routes) -> MutexGuard<'_, Table> {
    routes.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("link", &self.shared.handle)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
