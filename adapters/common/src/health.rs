//! Asking a server for its health by HTTP: the request, and what of the answer counts.

use crate::target::Target;

/// How much of the answer is judged, in bytes: `HTTP/1.1 200`.
pub const ANSWER: usize = 12;

/// The request for a target: a GET of its path, after which the server is to close.
pub fn request(target: &Target) -> Vec<u8> {
    let (path, authority) = (target.path(), target.authority());
    format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n").into_bytes()
}

/// Whether an answer that begins like this says that the server is well: HTTP/1 with a status of
/// 200 to 299. A redirect is none, as it says nothing of where it leads.
pub fn is_healthy(answer: &[u8; ANSWER]) -> bool {
    let [
        b'H',
        b'T',
        b'T',
        b'P',
        b'/',
        b'1',
        b'.',
        minor,
        b' ',
        b'2',
        tens,
        ones,
    ] = answer
    else {
        return false;
    };
    [minor, tens, ones].into_iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Scheme;

    #[test]
    fn the_request_names_host_and_path() {
        let ask = |url: &str| {
            let target = Target::url(url, &[Scheme::Http, Scheme::Https]).unwrap();
            String::from_utf8(request(&target)).unwrap()
        };
        assert_eq!(
            ask("http://[::1]:8080/health?deep=1"),
            "GET /health?deep=1 HTTP/1.1\r\nHost: [::1]:8080\r\nConnection: close\r\n\r\n"
        );
        let usual = ask("https://example.org");
        assert!(
            usual.starts_with("GET / HTTP/1.1\r\nHost: example.org\r\n"),
            "{usual}"
        );
    }

    #[test]
    fn only_2xx_is_healthy() {
        for (answer, healthy) in [
            (b"HTTP/1.1 200", true),
            (b"HTTP/1.0 204", true),
            (b"HTTP/1.1 299", true),
            (b"HTTP/1.1 199", false),
            (b"HTTP/1.1 302", false),
            (b"HTTP/1.1 503", false),
            (b"HTTP/2.0 200", false),
            (b"HTTP/1.1 2 0", false),
            (b"HTTP/1.1\t200", false),
            (b"http/1.1 200", false),
            (b"SSH-2.0-Open", false),
        ] {
            let text = String::from_utf8_lossy(answer);
            assert_eq!(is_healthy(answer), healthy, "{text}");
        }
    }
}
