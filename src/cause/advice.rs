//! What the user can do next, in one sentence for each cause.

use super::{Cause, ProtocolError, SocketError};

pub(super) const fn of(cause: Cause) -> &'static str {
    match cause {
        Cause::Close(code) => of_close(code),
        Cause::Http(status) => of_status(status),
        Cause::Socket(error) => of_socket(error),
        Cause::Protocol(error) => of_protocol(error),
        Cause::Lost | Cause::PongTimeout => {
            "Wait for the reconnect; if it happens often, check the network."
        }
        Cause::NotWebSocket => "Check the address: what answers there is no WebSocket server.",
        Cause::Credentials => "Check that the source of the address and credentials is reachable.",
        Cause::ConnectTimeout => "Check that the host is up and that no firewall is in between.",
        Cause::HandshakeTimeout => "Wait: the server is overloaded and does not answer yet.",
        Cause::ReadyTimeout => "Wait, or check that both ends agree on how a session begins.",
        Cause::CloseTimeout => "Nothing needs to be done: the connection is gone.",
        Cause::Preflight => "Check that the server has started.",
        Cause::Requested => "Connect again whenever you want to.",
        Cause::DrainTimeout => "Look at what was handed back: it was not sent in time.",
        Cause::NetworkChanged => "Wait for the reconnect over the new network.",
        Cause::AttemptsSpent | Cause::TimeSpent => {
            "Check the network and the server, then reconnect by hand."
        }
        Cause::Local(_) => "See what the application says about this number.",
    }
}

const fn of_close(code: u16) -> &'static str {
    match code {
        1000 => "Connect again if you still need the connection.",
        1001 | 1012 => "Wait for the reconnect: the server is being restarted.",
        1002 | 1003 | 1007 | 1010 => "Check that client and server are of matching versions.",
        1005 | 1006 => "Wait for the reconnect; if it happens often, check the network.",
        1008 | 3000 | 3003 | 4401 | 4403 => "Sign in again, or ask for access.",
        1009 => "Send less in one message, or raise the server's limit.",
        1011 => "Wait for the reconnect; if it happens often, tell whoever runs the server.",
        1013 => "Wait: the server is overloaded and asks for time.",
        1014 => "Wait: the server behind the gateway is away.",
        1015 => "Check the server's certificate and this machine's clock.",
        3008 | 4408 => "Wait for the reconnect: the server did not hear from here in time.",
        3000..=4999 => "See what the server's documentation says about this code.",
        _ => "Wait for the reconnect, and check the version of the server.",
    }
}

const fn of_status(status: u16) -> &'static str {
    match status {
        401 => "Sign in again.",
        403 => "Ask for access to this address.",
        404 | 410 => "Check the path of the address: there is nothing there.",
        407 => "Sign in to the proxy.",
        408 | 504 => "Wait for the reconnect; if it happens often, check the network.",
        425 | 429 | 503 => "Wait: the server is overloaded and asks for time.",
        426 => "Check that client and server are of matching versions.",
        300..=399 => "Use the address that the server redirects to.",
        400..=499 => "Check the address and the request's headers.",
        500..=599 => "Wait for the reconnect; if it happens often, tell whoever runs the server.",
        _ => "Check the address: what answers there is no WebSocket server.",
    }
}

const fn of_socket(error: SocketError) -> &'static str {
    match error {
        SocketError::Refused => "Check that the server has started, and its port.",
        SocketError::Unreachable => "Check this machine's network.",
        SocketError::Reset => "Wait for the reconnect; if it happens often, check the network.",
        SocketError::TimedOut => "Check that the host is up and that no firewall is in between.",
        SocketError::NameNotFound => "Check the spelling of the host, and this machine's DNS.",
        SocketError::Tls => "Check the server's certificate and this machine's clock.",
        SocketError::PermissionDenied => "Allow this program to open network connections.",
        SocketError::Other => "Look into the log of the adapter for the error itself.",
    }
}

const fn of_protocol(error: ProtocolError) -> &'static str {
    match error {
        ProtocolError::Frame | ProtocolError::Utf8 => {
            "Check that client and server are of matching versions, and proxies in between."
        }
        ProtocolError::TooBig => "Raise the local limit, or let the server send less at once.",
        ProtocolError::Version => "Update the end whose version is the older one.",
    }
}
