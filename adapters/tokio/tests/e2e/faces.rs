//! The stream and sink, framed TCP, and transports of one's own.

use futures_util::{SinkExt, StreamExt};
use redial::cause::SocketError;
use redial::{Cause, Phase};
use redial_faults::{Behaviour, FramedServer, Mode, Proxy, Server};
use redial_tokio::tcp::tcp;
use redial_tokio::{Error, Message, redial, websocket};

use super::{LONG, caused, ms, next, quick, reach, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_and_sink_outlive_connections() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let (address, url) = (server.addr(), server.url());
    let config = quick().build().unwrap();
    let mut link = websocket(url).unwrap().config(config).seed(1).into_stream();
    let all = async {
        for number in 0..2000 {
            link.feed(Message::text(number.to_string())).await.unwrap();
        }
        link.flush().await.unwrap();
        for number in 0..2000 {
            let message = link.next().await.unwrap().unwrap();
            assert_eq!(message.as_text(), Some(number.to_string().as_str()));
        }
        server.kill();
        link.feed("after".into()).await.unwrap();
        let server = Server::start_on(address, Behaviour::Echo).unwrap();
        // What was written into a dying connection may be lost, so until one comes back.
        let echoed = loop {
            tokio::select! {
                message = link.next() => break message.unwrap().unwrap(),
                () = tokio::time::sleep(ms(300)) => link.send("after".into()).await.unwrap(),
            }
        };
        assert_eq!(echoed.as_text(), Some("after"));
        assert!(link.stats().connected >= 2);
        link.close().await.unwrap();
        assert_eq!(link.status().phase, Phase::Closed);
        while link.next().await.is_some() {}
        assert!(server.wait_closes(1, LONG));
        assert_eq!(server.closes(), [Some(1000)]);
        let refused = link.send("late".into()).await.unwrap_err();
        assert!(matches!(refused, Error::Refused(_)));
    };
    tokio::time::timeout(LONG, all).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_halves_live_in_two_tasks() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let config = quick().build().unwrap();
    let link = websocket(server.url()).unwrap().config(config).seed(1);
    let (mut sink, mut stream) = link.into_stream().split();
    let receiving = tokio::spawn(async move {
        for number in 0..3000 {
            let message = stream.next().await.unwrap().unwrap();
            assert_eq!(message.as_text(), Some(number.to_string().as_str()));
        }
        stream
    });
    let sending = tokio::spawn(async move {
        for number in 0..3000 {
            let message = Message::text(number.to_string());
            // Sometimes one by one, sometimes many.
            if number % 7 == 0 {
                sink.send(message).await.unwrap();
            } else {
                sink.feed(message).await.unwrap();
            }
        }
        sink.flush().await.unwrap();
        sink
    });
    let (sink, stream) = tokio::time::timeout(LONG, async { tokio::join!(sending, receiving) })
        .await
        .unwrap();
    let (mut sink, mut stream) = (sink.unwrap(), stream.unwrap());
    let ended = tokio::spawn(async move { while stream.next().await.is_some() {} });
    tokio::time::timeout(LONG, sink.close())
        .await
        .unwrap()
        .unwrap();
    tokio::time::timeout(LONG, ended).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stream_tells_a_failure_once() {
    let refusing = Behaviour::Http {
        status: 403,
        headers: Vec::new(),
    };
    let server = Server::start(refusing).unwrap();
    let config = quick().build().unwrap();
    let mut link = websocket(server.url())
        .unwrap()
        .config(config)
        .into_stream();
    let error = tokio::time::timeout(LONG, link.next()).await.unwrap();
    let error = error.unwrap().unwrap_err();
    assert!(matches!(error, Error::Failed(Some(Cause::Http(403)))));
    assert!(link.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_is_driven_alone_does_not_read_without_bound() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let mut link = websocket(server.url())
        .unwrap()
        .config(quick().build().unwrap())
        .inbox(1000, 4 << 10)
        .into_stream();
    let all = async {
        for _ in 0..100 {
            link.send(Message::binary(vec![0; 1 << 10])).await.unwrap();
        }
        assert!(server.wait_received(100, LONG));
        // Every flush reads as far as there is room.
        for _ in 0..100 {
            link.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
        assert!(link.stats().received < 10, "{:?}", link.stats());
        for _ in 0..100 {
            assert_eq!(link.next().await.unwrap().unwrap().len(), 1 << 10);
        }
    };
    tokio::time::timeout(LONG, all).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn framed_tcp_lives_on_too() {
    let server = FramedServer::start(Behaviour::Echo).unwrap();
    let address = server.addr();
    let proxy = Proxy::start(address).unwrap();
    let (handle, mut incoming) = tcp("127.0.0.1", proxy.addr().port())
        .config(quick().build().unwrap())
        .seed(1)
        .spawn();
    for number in 0..1000 {
        handle.send(number.to_string().into()).await.unwrap();
    }
    for number in 0..1000 {
        assert_eq!(next(&mut incoming).await, number.to_string().as_bytes());
    }
    // Longer than silence and pong deadline together: pings are answered.
    until_round_trip(&handle).await;
    // And so are those of the server.
    server.ping_all();
    assert!(server.wait_pongs(1, LONG));
    proxy.set(Mode::BlackHole);
    let status = until(&handle, "dead", |s| s.phase != Phase::Connected).await;
    assert_eq!(status.last_cause, Some(Cause::PongTimeout));
    proxy.set(Mode::Pass);
    handle.send("again".into()).await.unwrap();
    assert_eq!(next(&mut incoming).await, b"again".as_slice());
    proxy.reset_all();
    caused(&handle, Cause::Socket(SocketError::Reset)).await;
    reach(&handle, Phase::Connected).await;
    let back = tokio::time::timeout(LONG, handle.disconnect())
        .await
        .unwrap();
    assert!(back.is_empty());
    assert_eq!(handle.closed().await, Some(Cause::Requested));
}

async fn until_round_trip(handle: &redial_tokio::Handle<bytes::Bytes>) {
    let measured = async {
        while handle.status().round_trip.is_none() {
            tokio::time::sleep(ms(5)).await;
        }
    };
    tokio::time::timeout(LONG, measured).await.unwrap();
    assert_eq!(handle.stats().disconnected, 0);
}
