//! Bad input of every kind has its cause, and costs no queued message.

use redial::cause::ProtocolError;
use redial::{Cause, Outcome, Phase};
use redial_adapter::LONGEST;
use redial_faults::{Behaviour, Frame, Server};
use redial_tokio::websocket::UrlError;
use redial_tokio::{Message, redial, websocket, websocket_with};

use super::{LONG, caused, link, next, quick, reach};

#[test]
fn wrong_addresses_are_refused_at_construction() {
    let error = |url: &str| websocket(url).map(|_| ()).unwrap_err();
    assert!(matches!(error(""), UrlError::InvalidUrl(_)));
    assert!(matches!(error("no url"), UrlError::InvalidUrl(_)));
    assert!(matches!(error("/path"), UrlError::InvalidUrl(_)));
    assert!(
        matches!(error("http://a.example/"), UrlError::UnsupportedScheme(scheme) if scheme == "http")
    );
    assert_eq!(error("ws://me:secret@a.example/"), UrlError::Credentials);
    let builder = websocket("ws://a.example/").unwrap();
    assert!(matches!(
        builder.header("Upgrade", "x").map(|_| ()).unwrap_err(),
        UrlError::ReservedHeader(name) if name == "Upgrade"
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_address_of_a_provider_is_its_failure() {
    for url in ["http://127.0.0.1:1/", "no url", "ws:///x"] {
        let config = quick().max_retries(Some(0)).build().unwrap();
        let (handle, _incoming) = websocket_with(move |_| async move { Ok(url) })
            .config(config)
            .spawn();
        let status = reach(&handle, Phase::Failed).await;
        assert_eq!(status.last_cause, Some(Cause::Credentials), "{url}");
        assert!(handle.last_error().is_some());
        assert_eq!(handle.stats().dials, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_websocket_server_is_told_and_keeps_the_queue() {
    let page = Behaviour::Http {
        status: 200,
        headers: Vec::new(),
    };
    let half = b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec();
    let wrong_key = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
        .to_vec();
    for (behaviour, cause) in [
        (page, Cause::Http(200)),
        (Behaviour::Garbage(half), Cause::NotWebSocket),
        (Behaviour::Garbage(wrong_key), Cause::NotWebSocket),
        (
            Behaviour::Garbage(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
            Cause::NotWebSocket,
        ),
        (Behaviour::Garbage(vec![0xff; 4096]), Cause::NotWebSocket),
    ] {
        println!("{behaviour:?}");
        let server = Server::start(behaviour).unwrap();
        let (handle, mut incoming) = link(&server.url(), quick());
        handle.try_send("1".into()).unwrap();
        let status = reach(&handle, Phase::Failed).await;
        assert_eq!(status.last_cause, Some(cause), "{:?}", handle.last_error());
        // Tried once more, in case it was a deploy.
        assert_eq!((server.dials(), handle.status().queued), (2, 1));
        server.set(Behaviour::Echo);
        handle.reconnect();
        assert_eq!(next(&mut incoming).await.as_text(), Some("1"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_frames_are_told() {
    let bad_text = vec![0x81, 2, 0xc3, 0x28];
    let reserved = vec![0x83, 0];
    let masked = vec![0x81, 0x80, 0, 0, 0, 0];
    let long = [vec![0x82, 126, 0x10, 0], vec![0; 4096]].concat();
    let bad_close = vec![0x88, 1, 0];
    for (raw, cause) in [
        (bad_text, Cause::Protocol(ProtocolError::Utf8)),
        (reserved, Cause::Protocol(ProtocolError::Frame)),
        (masked, Cause::Protocol(ProtocolError::Frame)),
        (long, Cause::Protocol(ProtocolError::TooBig)),
        (bad_close, Cause::Protocol(ProtocolError::Frame)),
    ] {
        println!("{cause:?}");
        let first = vec![Frame::Text("ok".to_owned()), Frame::Raw(raw)];
        let server = Server::start(Behaviour::SendFirst(first)).unwrap();
        let config = quick().build().unwrap();
        let (handle, mut incoming) = websocket(server.url())
            .unwrap()
            .config(config)
            .max_message_size(1000)
            .spawn();
        assert_eq!(next(&mut incoming).await.as_text(), Some("ok"));
        let status = reach(&handle, Phase::Failed).await;
        assert_eq!(status.last_cause, Some(cause));
        assert_eq!(next(&mut incoming).await.as_text(), Some("ok"));
        assert_eq!(incoming.recv().await, None);
        assert_eq!(server.dials(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fragments_and_pings_between_them_are_put_together() {
    let raw = |bytes: &[u8]| Frame::Raw(bytes.to_vec());
    let server = Server::start(Behaviour::SendFirst(vec![
        Frame::Text("first".to_owned()),
        raw(b"\x01\x02he"),
        raw(b"\x89\x01p"),
        raw(b"\x00\x02ll"),
        raw(b"\x80\x01o"),
        Frame::Text("last".to_owned()),
    ]))
    .unwrap();
    let (handle, mut incoming) = link(&server.url(), quick());
    for expected in ["first", "hello", "last"] {
        assert_eq!(next(&mut incoming).await.as_text(), Some(expected));
    }
    assert!(server.wait_pongs(1, LONG));
    // Pings of the server are answered on an idle connection too.
    server.ping_all();
    assert!(server.wait_pongs(2, LONG));
    assert_eq!(handle.stats().dials, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_over_the_limit_is_dropped_alone() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let config = quick().build().unwrap();
    let (handle, mut incoming) = websocket(server.url())
        .unwrap()
        .config(config)
        .max_message_size(1000)
        .spawn();
    let mut fates = handle.fates();
    handle.send(Message::binary(vec![1; 1000])).await.unwrap();
    let big = handle.send(Message::binary(vec![2; 1001])).await.unwrap();
    handle.send(Message::binary(vec![3; 1000])).await.unwrap();
    assert_eq!(next(&mut incoming).await.as_bytes()[0], 1);
    assert_eq!(next(&mut incoming).await.as_bytes()[0], 3);
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        let fate = tokio::time::timeout(LONG, fates.recv()).await.unwrap();
        let fate = fate.unwrap();
        let too_big = redial::outbox::DropReason::TooBig;
        assert_eq!(
            fate.outcome == Outcome::Dropped(too_big),
            fate.id == big,
            "{fate:?}"
        );
        outcomes.push(fate.outcome);
    }
    assert_eq!(handle.stats().dials, 1);
    assert_eq!(outcomes.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_message_by_default() {
    // A message in two fragments, as long as is taken by default, or one byte longer.
    let fragments = |first: usize| {
        let mut long = vec![0x02, 127];
        long.extend_from_slice(&(first as u64).to_be_bytes());
        long.resize(long.len() + first, 7);
        vec![Frame::Raw(long), Frame::Raw(b"\x80\x01!".to_vec())]
    };
    let server = Server::start(Behaviour::SendFirst(fragments(LONGEST - 1))).unwrap();
    let config = || quick().connect_deadline(LONG).patience(LONG);
    let (_handle, mut incoming) = link(&server.url(), config());
    assert_eq!(next(&mut incoming).await.as_bytes().len(), LONGEST);
    let server = Server::start(Behaviour::SendFirst(fragments(LONGEST))).unwrap();
    let (handle, _incoming) = link(&server.url(), config());
    caused(&handle, Cause::Protocol(ProtocolError::TooBig)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_raised_limit_of_messages_is_one_of_frames_too() {
    let long = vec![7; LONGEST + 1];
    let server = Server::start(Behaviour::SendFirst(vec![Frame::Binary(long)])).unwrap();
    let (handle, mut incoming) = websocket(server.url())
        .unwrap()
        .config(quick().build().unwrap())
        .max_message_size(LONGEST + 1)
        .spawn();
    assert_eq!(next(&mut incoming).await.as_bytes().len(), LONGEST + 1);
    assert_eq!(handle.stats().dials, 1);
}
