//! Text that must not be seen, and text without the passwords in it.

use std::fmt;

/// A password. It can be shown to nobody by accident: [`Secret::reveal`] is the only way to the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// What stands where a password is.
pub(super) const HIDDEN: &str = "***";

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for whoever it is meant for.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(HIDDEN)
    }
}

/// A URI with `***` for its password. What stands before the last `@` of the authority and after its first colon
/// is taken for one also where the rest is malformed: showing too little is the safe way to be wrong.
pub fn without_passwords(uri: &str) -> String {
    let start = uri.find("//").map_or(0, |at| at + 2);
    let (scheme, rest) = uri.split_at(start);
    // A password with an unescaped '/' is malformed, and still one.
    let Some(end) = rest.rfind('@') else { return uri.to_owned() };
    let (login, host) = rest.split_at(end);
    match login.split_once(':') {
        Some((user, _)) => format!("{scheme}{user}:{HIDDEN}{host}"),
        None => uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_shown_without_its_password_however_it_is_written() {
        for (uri, shown) in [
            ("amqp://host", "amqp://host"),
            ("amqp://user@host/%2f", "amqp://user@host/%2f"),
            ("amqp://user:secret@host:5672/judge", "amqp://user:***@host:5672/judge"),
            ("amqp://user:sec@ret@host", "amqp://user:***@host"),
            ("amqp://user:sec/ret@host/judge", "amqp://user:***@host/judge"),
            ("user:secret@host", "user:***@host"),
            ("amqp://:secret@", "amqp://:***@"),
            ("stdio", "stdio"),
        ] {
            assert_eq!(without_passwords(uri), shown);
        }
        assert_eq!(format!("{:?}", Secret::new("secret")), "***");
    }
}
