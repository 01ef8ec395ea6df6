//! Targets as URLs, and as references to other ones (RFC 3986 section 5).

use tungstenite::http::Uri;

use crate::error::RequestError;
use crate::target::{Scheme, Target, authority};

impl Target {
    /// A server by a URL, of one of the schemes that the caller can dial.
    ///
    /// A fragment is cut off, as it is never sent (RFC 6455 section 3).
    ///
    /// # Errors
    ///
    /// Whatever makes it no such URL, before anything is dialled:
    /// [`TlsNotCompiledIn`](RequestError::TlsNotCompiledIn) where only the scheme without TLS is
    /// among `known`.
    pub fn url(url: &str, known: &[Scheme]) -> Result<Self, RequestError> {
        let invalid = || RequestError::InvalidUrl(url.to_owned());
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(invalid());
        }
        let (scheme, rest) = url.split_once("://").ok_or_else(invalid)?;
        let scheme = scheme_of(scheme, known)?;
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (place, path) = rest.split_at(end);
        let (host, port) = authority(place)?;
        let usual = || scheme.usual_port().ok_or_else(invalid);
        let slash = if path.starts_with('/') { "" } else { "/" };
        let target = Self {
            scheme,
            host,
            port: port.map_or_else(usual, Ok)?,
            path: format!("{slash}{path}"),
        };
        // What the library below would not take.
        target.to_url().parse::<Uri>().map_err(|_| invalid())?;
        Ok(target)
    }

    /// Where a reference leads from here: absolute, without a scheme, or relative.
    ///
    /// `http` and `https` stand for `ws` and `wss` where those are known. TLS is never given up.
    ///
    /// # Errors
    ///
    /// As [`url`](Self::url), and [`UnsupportedScheme`](RequestError::UnsupportedScheme) if it
    /// leads from TLS to plain text.
    pub fn join(&self, reference: &str, known: &[Scheme]) -> Result<Self, RequestError> {
        let reference = reference.split_once('#').map_or(reference, |(r, _)| r);
        let own = format!("{}://{}", self.scheme.name(), self.authority());
        let path = self.path.split_once('?').map_or(&*self.path, |(p, _)| p);
        let url = if let Some((scheme, rest)) = absolute(reference) {
            let scheme = match scheme.to_ascii_lowercase().as_str() {
                "http" if known.contains(&Scheme::Ws) => "ws".to_owned(),
                "https" if known.contains(&Scheme::Ws) => "wss".to_owned(),
                other => other.to_owned(),
            };
            scheme_of(&scheme, known)?;
            format!("{scheme}:{rest}")
        } else if reference.starts_with("//") {
            format!("{}:{reference}", self.scheme.name())
        } else if reference.starts_with('/') {
            format!("{own}{reference}")
        } else if reference.starts_with('?') {
            format!("{own}{path}{reference}")
        } else if reference.is_empty() {
            // Here again would be a circle.
            return Err(RequestError::InvalidUrl(String::new()));
        } else {
            let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
            format!("{own}{directory}/{reference}")
        };
        let mut target = Self::url(&url, known)?;
        if self.scheme.is_secure() && !target.scheme.is_secure() {
            let scheme = target.scheme.name().to_owned();
            return Err(RequestError::UnsupportedScheme(scheme));
        }
        target.path = without_dots(&target.path);
        Ok(target)
    }
}

fn scheme_of(name: &str, known: &[Scheme]) -> Result<Scheme, RequestError> {
    let is = |scheme: &Scheme| scheme.name().eq_ignore_ascii_case(name);
    if let Some(scheme) = known.iter().copied().find(is) {
        return Ok(scheme);
    }
    let plain = |scheme: &Scheme| format!("{}s", scheme.name()).eq_ignore_ascii_case(name);
    Err(if known.iter().any(plain) {
        RequestError::TlsNotCompiledIn
    } else {
        RequestError::UnsupportedScheme(name.to_owned())
    })
}

/// The scheme of a reference that has one, and what follows its colon.
fn absolute(reference: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = reference.split_once(':')?;
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    (named && scheme.chars().all(letters)).then_some((scheme, rest))
}

/// A path without its steps to here and upward (RFC 3986 section 5.2.4).
fn without_dots(path: &str) -> String {
    let (path, query) = path.split_at(path.find('?').unwrap_or(path.len()));
    let mut kept = Vec::new();
    let mut steps = path.split('/').skip(1).peekable();
    while let Some(step) = steps.next() {
        if matches!(step, "." | "..") {
            if step == ".." {
                kept.pop();
            }
            // A directory ends in a slash.
            if steps.peek().is_none() {
                kept.push("");
            }
        } else {
            kept.push(step);
        }
    }
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[Scheme] = &[Scheme::Ws];
    const BOTH: &[Scheme] = &[Scheme::Ws, Scheme::Wss];

    #[test]
    fn takes_urls_apart() {
        for (url, shown, host, port, path) in [
            (
                "WS://Example.org?x=1#y",
                "ws://example.org/?x=1",
                "example.org",
                80,
                "/?x=1",
            ),
            (
                "wss://h:8443/p?q=1",
                "wss://h:8443/p?q=1",
                "h",
                8443,
                "/p?q=1",
            ),
            ("wss://h:443", "wss://h/", "h", 443, "/"),
            ("ws://[::1]:9/", "ws://[::1]:9/", "::1", 9, "/"),
            (
                "wss://h?token=a:b@c",
                "wss://h/?token=a:b@c",
                "h",
                443,
                "/?token=a:b@c",
            ),
        ] {
            let target = Target::url(url, BOTH).unwrap();
            assert_eq!(target.to_url(), shown);
            assert_eq!((target.host(), target.port()), (host, port), "{url}");
            assert_eq!(target.path(), path);
            assert_eq!(target.scheme().is_secure(), shown.starts_with("wss"));
            assert!(!format!("{target:?}").contains("token"), "{target:?}");
        }
    }

    #[test]
    fn refuses_what_is_no_url() {
        let invalid = |url: &str| RequestError::InvalidUrl(url.to_owned());
        for (url, error) in [
            ("", invalid("")),
            ("x", invalid("x")),
            ("/path", invalid("/path")),
            ("ws://x/a b", invalid("ws://x/a b")),
            ("ws://x/ü", invalid("ws://x/ü")),
            ("ws://x/<", invalid("ws://x/<")),
            (
                "http://x/",
                RequestError::UnsupportedScheme("http".to_owned()),
            ),
            ("ws://", RequestError::NoHost),
            ("ws:///path", RequestError::NoHost),
            ("ws://u:p@x/", RequestError::Credentials),
            (
                "ws://x:99999/",
                RequestError::InvalidPort("99999".to_owned()),
            ),
            ("ws://x:/", RequestError::InvalidPort(String::new())),
            ("ws://x\\y/", RequestError::InvalidHost("x\\y".to_owned())),
        ] {
            assert_eq!(Target::url(url, BOTH), Err(error), "{url}");
        }
        assert_eq!(
            Target::url("WSS://x/", PLAIN),
            Err(RequestError::TlsNotCompiledIn)
        );
    }

    /// The examples of RFC 3986 section 5.4, but for those that change nothing here.
    #[test]
    fn follows_references() {
        let base = Target::url("ws://a/b/c/d;p?q", BOTH).unwrap();
        for (reference, leads_to) in [
            ("g", "ws://a/b/c/g"),
            ("./g", "ws://a/b/c/g"),
            ("g/", "ws://a/b/c/g/"),
            ("/g", "ws://a/g"),
            ("//g", "ws://g/"),
            ("?y", "ws://a/b/c/d;p?y"),
            ("g?y", "ws://a/b/c/g?y"),
            ("g#s", "ws://a/b/c/g"),
            (";x", "ws://a/b/c/;x"),
            (".", "ws://a/b/c/"),
            ("..", "ws://a/b/"),
            ("../g", "ws://a/b/g"),
            ("../..", "ws://a/"),
            ("../../../g", "ws://a/g"),
            ("/./g", "ws://a/g"),
            ("/../g", "ws://a/g"),
            ("g.", "ws://a/b/c/g."),
            ("..g", "ws://a/b/c/..g"),
            ("./g/.", "ws://a/b/c/g/"),
            ("g;x=1/../y", "ws://a/b/c/y"),
            ("g?y/../x", "ws://a/b/c/g?y/../x"),
            ("ws://b:81/../x", "ws://b:81/x"),
            ("HTTP://b/", "ws://b/"),
            ("https://b", "wss://b/"),
        ] {
            let target = base.join(reference, BOTH).unwrap();
            assert_eq!(target.to_url(), leads_to, "{reference}");
        }
        for wrong in [
            "",
            "#s",
            "g:h",
            "ftp://a/",
            "http:g",
            "//u@g",
            "http://a\\@b/",
        ] {
            base.join(wrong, BOTH).unwrap_err();
        }
    }

    #[test]
    fn tls_is_not_given_up() {
        let secure = Target::url("wss://a/x", BOTH).unwrap();
        for plain in ["http://a/x", "ws://a/x"] {
            secure.join(plain, BOTH).unwrap_err();
        }
        assert!(secure.join("//b/x", BOTH).unwrap().scheme().is_secure());
        let without = Target::url("ws://a/x", PLAIN).unwrap();
        let error = without.join("https://a/x", PLAIN).unwrap_err();
        assert_eq!(error, RequestError::TlsNotCompiledIn);
    }
}
