//! Names of entries: SHA-256 over everything an entry depends on.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// A SHA-256 over everything an entry depends on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The SHA-256 of some bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(bytes.as_ref()).into())
    }

    /// The SHA-256 of everything a reader gives.
    ///
    /// # Errors
    /// When reading fails.
    pub fn of_reader(mut reader: impl Read) -> io::Result<Self> {
        let mut state = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(Self(state.finalize().into())),
                Ok(count) => state.update(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// What a hash that was fed piece by piece has come to.
impl From<Sha256> for Digest {
    fn from(state: Sha256) -> Self {
        Self(state.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{self}")
    }
}

/// Text that is not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256: expected 64 lower-case hexadecimal digits")]
pub struct NotADigest;

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let value = |digit: u8| match digit {
            b'0'..=b'9' => Ok(digit - b'0'),
            b'a'..=b'f' => Ok(digit - b'a' + 10),
            _ => Err(NotADigest),
        };
        if text.len() != 64 {
            return Err(NotADigest);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = value(pair[0])? << 4 | value(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

/// Builds a [`Digest`] from named fields; every name and value is length-prefixed, so that no two different
/// lists of fields are the same bytes.
#[derive(Debug, Default)]
pub struct KeyBuilder {
    state: Sha256,
}

impl KeyBuilder {
    /// Adds a named field.
    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        for part in [name.as_bytes(), value.as_ref()] {
            self.state.update((part.len() as u64).to_le_bytes());
            self.state.update(part);
        }
        self
    }

    /// The digest of all fields so far.
    pub fn finish(self) -> Digest {
        Digest(self.state.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn digests_are_sha256_and_read_back() {
        let digest = Digest::of("abc");
        assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(Digest::of_reader(&b"abc"[..]).unwrap(), digest);
        for text in ["", "ba78", &"g".repeat(64), &"A".repeat(64), &"é".repeat(32)] {
            assert_eq!(text.parse::<Digest>(), Err(NotADigest));
        }
    }

    #[test]
    fn moving_bytes_between_fields_changes_the_key() {
        let key = |fields: &[(&str, &str)]| {
            fields.iter().fold(KeyBuilder::default(), |key, (name, value)| key.field(name, value)).finish()
        };
        let all = [
            key(&[("ab", "c")]),
            key(&[("a", "bc")]),
            key(&[("abc", "")]),
            key(&[("", "abc")]),
            key(&[("a", "b"), ("c", "")]),
            key(&[("a", ""), ("b", "c")]),
            key(&[]),
            key(&[("", "")]),
        ];
        for (index, first) in all.iter().enumerate() {
            assert!(all[index + 1..].iter().all(|second| first != second));
        }
    }

    proptest! {
        #[test]
        fn different_field_lists_have_different_keys(
            left in proptest::collection::vec(("[ab]{0,3}", "[ab]{0,3}"), 0..4),
            right in proptest::collection::vec(("[ab]{0,3}", "[ab]{0,3}"), 0..4),
        ) {
            let key = |fields: &[(String, String)]| {
                fields.iter().fold(KeyBuilder::default(), |key, (name, value)| key.field(name, value)).finish()
            };
            prop_assert_eq!(left == right, key(&left) == key(&right));
        }
    }
}
