//! Addresses of what is fetched, and which of them are allowed.
//!
//! An address is compared and requested in one parsed form, so that nothing means one thing to the check and
//! another to the request. What servers and proxies read in different ways is refused: user names in the
//! host, `..` in whatever spelling, backslashes, fragments.

use std::fmt;
use std::str::FromStr;

use ureq::http::Uri;

/// Longer ones are no addresses of files.
const LONGEST: usize = 8192;

/// How something is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
    S3,
}

/// An address that was checked; shown without its query, which may be a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    uri: Uri,
    pub(super) scheme: Scheme,
}

/// What is wrong with an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressError(&'static str);

impl Address {
    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Lower case, as hosts are compared.
    pub(super) fn host(&self) -> String {
        self.uri.host().unwrap_or_default().to_ascii_lowercase()
    }

    fn port(&self) -> Option<u16> {
        self.uri.port_u16().or(match self.scheme {
            Scheme::Http => Some(80),
            Scheme::Https => Some(443),
            Scheme::S3 => None,
        })
    }

    /// The last part of the path without its endings: `https://host/a/sum.tar.gz` is `sum`.
    pub(super) fn stem(&self) -> &str {
        let name = self.uri.path().rsplit('/').next().unwrap_or_default();
        name.split('.').next().unwrap_or_default()
    }

    /// Where a `Location` header leads from here.
    pub(super) fn join(&self, location: &str) -> Result<Self, AddressError> {
        let (scheme, authority) = (
            self.uri.scheme_str().unwrap_or_default(),
            self.uri.authority().map_or("", |part| part.as_str()),
        );
        let is_absolute = location.split(['/', '?']).next().is_some_and(|first| first.contains(':'));
        let text = if is_absolute {
            location.to_owned()
        } else if let Some(rest) = location.strip_prefix("//") {
            format!("{scheme}://{rest}")
        } else if location.starts_with('/') {
            format!("{scheme}://{authority}{location}")
        } else {
            let folder = self.uri.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{scheme}://{authority}{folder}/{location}")
        };
        text.parse()
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() > LONGEST {
            return Err(AddressError("it is longer than 8192 bytes"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AddressError("it has spaces, control characters or letters that are not ASCII"));
        }
        if text.contains('#') {
            return Err(AddressError("it has a fragment ('#')"));
        }
        let uri: Uri = text.parse().map_err(|_| AddressError("it is not a URL"))?;
        let scheme = match uri.scheme_str() {
            Some("https") => Scheme::Https,
            Some("http") => Scheme::Http,
            Some("s3") => Scheme::S3,
            Some(_) => return Err(AddressError("only https, http and s3 can be fetched")),
            None => return Err(AddressError("it must begin with https://, http:// or s3://")),
        };
        if uri.host().is_none_or(str::is_empty) {
            return Err(AddressError("it has no host"));
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(AddressError("it has a user name in it; nothing is sent to log in"));
        }
        if climbs(uri.path()) {
            return Err(AddressError("its path has '.', '..' or a backslash as a part"));
        }
        Ok(Self { uri, scheme })
    }
}

/// Whether some server could read a `..` out of the path: one behind a proxy may decode it once more, and some take
/// what follows a `;` for parameters of the part before it.
fn climbs(path: &str) -> bool {
    let mut path = path.as_bytes().to_vec();
    loop {
        let mut parts = path.split(|byte| *byte == b'/');
        let is_step = |part: &[u8]| {
            let name = part.split(|byte| *byte == b';').next().unwrap_or_default();
            name == b"." || name == b".."
        };
        if path.contains(&b'\\') || parts.any(is_step) {
            return true;
        }
        let decoded = decoded(&path);
        // Each escape is longer than what it stands for.
        if decoded.len() == path.len() {
            return false;
        }
        path = decoded;
    }
}

/// The path with its escapes resolved, once.
fn decoded(path: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        decoded.push(match (first, after) {
            (b'%', [high, low, after @ ..]) => match hexadecimal(*high).zip(hexadecimal(*low)) {
                Some((high, low)) => {
                    rest = after;
                    high << 4 | low
                }
                None => first,
            },
            _ => first,
        });
    }
    decoded
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let authority = self.uri.authority().map_or("", |part| part.as_str());
        let query = if self.uri.query().is_some() { "?..." } else { "" };
        let whole = format!("{scheme}://{authority}{}{query}", self.uri.path());
        formatter.write_str(&shortened(&whole))
    }
}

/// Text of others', fit for a one-line message.
pub(super) fn shortened(text: &str) -> String {
    const LONGEST_SHOWN: usize = 200;
    let mut line: String = text.chars().take(LONGEST_SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST_SHOWN).is_some() {
        line.push_str("...");
    }
    line
}

/// A URL below which everything may be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedUrl(Address);

impl AllowedUrl {
    /// Same scheme, same host, same port, and the path below this one's, whole parts of it.
    pub(super) fn covers(&self, address: &Address) -> bool {
        let (allowed, path) = (self.0.uri.path(), address.uri.path());
        let below = path
            .strip_prefix(allowed)
            .is_some_and(|rest| rest.is_empty() || allowed.ends_with('/') || rest.starts_with('/'));
        self.0.scheme == address.scheme
            && self.0.host() == address.host()
            && self.0.port() == address.port()
            && below
    }
}

impl FromStr for AllowedUrl {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let address: Address = text.parse()?;
        if address.uri.query().is_some() {
            return Err(AddressError("it has a query ('?'); give the part before it"));
        }
        Ok(Self(address))
    }
}

impl fmt::Display for AllowedUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(allowed: &str, url: &str) -> bool {
        let allowed: AllowedUrl = allowed.parse().unwrap();
        url.parse().is_ok_and(|address| allowed.covers(&address))
    }

    #[test]
    fn what_lies_below_an_allowed_url_is_allowed() {
        for (allowed, url) in [
            ("https://files.example", "https://files.example/a.zip"),
            ("https://files.example/", "https://FILES.example:443/a.zip?token=1"),
            ("https://files.example/problems", "https://files.example/problems/a/b.zip"),
            ("https://files.example/problems/", "https://files.example/problems/a%20b.zip"),
            ("https://files.example/one.zip", "https://files.example/one.zip"),
            ("https://files.example/", "https://files.example/100%25/a..b/...zip;v=1"),
            ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/x"),
            ("http://[::1]:8000/", "http://[::1]:8000/x"),
            ("s3://bucket/", "s3://bucket/problems/a.zip"),
        ] {
            assert!(covers(allowed, url), "{allowed} {url}");
        }
    }

    #[test]
    fn nothing_else_is() {
        for (allowed, url) in [
            ("https://files.example", "http://files.example/a.zip"),
            ("https://files.example", "https://files.example.evil/a.zip"),
            ("https://files.example", "https://files.example:8443/a.zip"),
            ("https://files.example", "https://files.example@evil/a.zip"),
            ("https://files.example", "https://evil/https://files.example/"),
            ("https://files.example/problems", "https://files.example/problems-of-others/a.zip"),
            ("https://files.example/problems/", "https://files.example/problems/../secret"),
            ("https://files.example/problems/", "https://files.example/problems/%2e%2E/secret"),
            ("https://files.example/problems/", "https://files.example/problems/..%2fsecret"),
            ("https://files.example/problems/", "https://files.example/problems/..\\secret"),
            ("https://files.example/problems/", "https://files.example/problems/%2e%2e%5csecret"),
            ("https://files.example/problems/", "https://files.example/problems/%252e%252e/secret"),
            ("https://files.example/problems/", "https://files.example/problems/%25252e./secret"),
            ("https://files.example/problems/", "https://files.example/problems/..;/secret"),
            ("https://files.example/problems/", "https://files.example/problems/%2e%2e%3Bx=1/secret"),
            ("https://files.example/problems/", "https://files.example/"),
            ("s3://bucket/", "s3://bucket-of-others/a.zip"),
        ] {
            assert!(!covers(allowed, url), "{allowed} {url}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (text, expected) in [
            ("", "not a URL"),
            ("a.zip", "must begin with"),
            ("/etc/passwd", "must begin with"),
            ("file:///etc/passwd", "not a URL"),
            ("file://host/etc/passwd", "only https"),
            ("ftp://host/a", "only https"),
            ("https://", "not a URL"),
            ("https://user:secret@host/a", "user name"),
            ("https://host/a#b", "fragment"),
            ("https://host/a b", "spaces"),
            ("https://host/\n", "spaces"),
            ("https://höst/", "not ASCII"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
        assert!("https://host/?x".parse::<AllowedUrl>().is_err());
    }

    #[test]
    fn redirects_lead_where_browsers_would_go() {
        let here: Address = "https://host:1/a/b.zip?x".parse().unwrap();
        for (location, expected) in [
            ("http://other/c", "http://other/c"),
            ("//other/c", "https://other/c"),
            ("/c", "https://host:1/c"),
            ("c.zip?y:z", "https://host:1/a/c.zip?..."),
        ] {
            assert_eq!(here.join(location).unwrap().to_string(), expected);
        }
        assert!(here.join("../c").is_err());
        assert!(here.join("file:///etc/passwd").is_err());
    }

    #[test]
    fn a_query_is_never_shown() {
        let address: Address = "https://host/a.tar.gz?X-Amz-Signature=secret".parse().unwrap();
        assert_eq!(address.to_string(), "https://host/a.tar.gz?...");
        assert_eq!(address.stem(), "a");
    }
}
