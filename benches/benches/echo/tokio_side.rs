//! The tokio variants: the bare library twice, then both faces of `redial-tokio`.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Raw;

use crate::Variant;

pub(crate) const VARIANTS: [Variant; 4] = [
    Variant {
        name: "bare, batched (baseline)",
        run: |url, size, under_way, time| run(bare(url, size, under_way, time, true)),
    },
    Variant {
        name: "bare, one flush a message",
        run: |url, size, under_way, time| run(bare(url, size, under_way, time, false)),
    },
    Variant {
        name: "redial-tokio, Stream + Sink",
        run: |url, size, under_way, time| run(inline(url, size, under_way, time)),
    },
    Variant {
        name: "redial-tokio, handle",
        run: |url, size, under_way, time| run(handle(url, size, under_way, time)),
    },
];

fn run(task: impl Future<Output = u64>) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(task)
}

/// Keeps `under_way` messages on the line, written in batches; everything that has arrived is
/// taken before the next flush.
async fn echo<T, M, E>(line: &mut T, message: M, under_way: usize, time: Duration) -> u64
where
    T: Stream<Item = Result<M, E>> + Sink<M> + Unpin,
    M: Clone,
    E: std::fmt::Debug,
    <T as Sink<M>>::Error: std::fmt::Debug,
{
    let until = Instant::now() + time;
    let (mut echoed, mut out) = (0, 0);
    while Instant::now() < until {
        while out < under_way {
            line.feed(message.clone()).await.expect("a line that stays");
            out += 1;
        }
        line.flush().await.expect("a line that stays");
        line.next().await.expect("an echo").expect("an echo");
        let mut back = 1;
        while let Some(Some(more)) = line.next().now_or_never() {
            more.expect("an echo");
            back += 1;
        }
        out -= back;
        echoed += back as u64;
    }
    echoed
}

async fn bare(url: &str, size: usize, under_way: usize, time: Duration, batched: bool) -> u64 {
    let address = url.trim_start_matches("ws://").trim_end_matches('/');
    let socket = TcpStream::connect(address).await.expect("the server");
    socket.set_nodelay(true).expect("a socket");
    let (mut line, _) =
        tokio_tungstenite::client_async_with_config(url, socket, Some(crate::settings()))
            .await
            .expect("an upgrade");
    let message = Raw::Binary(Bytes::from(vec![7; size]));
    if batched {
        return echo(&mut line, message, under_way, time).await;
    }
    let until = Instant::now() + time;
    let (mut echoed, mut out) = (0, 0);
    while Instant::now() < until {
        while out < under_way {
            line.send(message.clone()).await.expect("a line that stays");
            out += 1;
        }
        line.next().await.expect("an echo").expect("an echo");
        out -= 1;
        echoed += 1;
    }
    echoed
}

/// The face without a task: polled where the bare library was.
async fn inline(url: &str, size: usize, under_way: usize, time: Duration) -> u64 {
    let mut line = redial_tokio::websocket(url)
        .expect("a good url")
        .into_stream();
    let message = redial_tokio::Message::Binary(Bytes::from(vec![7; size]));
    echo(&mut line, message, under_way, time).await
}

/// The cloneable face: a task between the caller and the socket.
async fn handle(url: &str, size: usize, under_way: usize, time: Duration) -> u64 {
    let (handle, mut incoming) = redial_tokio::websocket(url).expect("a good url").spawn();
    let message = redial_tokio::Message::Binary(Bytes::from(vec![7; size]));
    let until = Instant::now() + time;
    let (mut echoed, mut out) = (0, 0);
    while Instant::now() < until {
        while out < under_way {
            handle.try_send(message.clone()).expect("room");
            out += 1;
        }
        incoming.recv().await.expect("an echo");
        let mut back = 1;
        while let Some(Some(_)) = incoming.recv().now_or_never() {
            back += 1;
        }
        out -= back;
        echoed += back as u64;
    }
    handle.disconnect().await;
    echoed
}
