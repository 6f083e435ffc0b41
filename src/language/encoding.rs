//! Converts source texts to UTF-8 without a byte order mark, the one form that every compiler and interpreter takes.
//!
//! Compilers disagree about a byte order mark: GCC, Clang, CPython and Go skip it, `javac` and OCaml refuse it, PHP prints
//! it, and Python 2 and GNAT take it as the declaration of UTF-8 (`keeps_mark` in the language table). UTF-16, which editors on Windows write, is refused by nearly all. Both are therefore converted before anything looks
//! at a source. Any other encoding stays byte for byte, because only the compiler knows whether it is allowed.

use std::borrow::Cow;

use super::Language;

/// A text without a byte order mark counts as UTF-16 when more than one in this many of its characters are ASCII.
const ASCII_SHARE: usize = 4;
/// Shorter texts need a byte order mark to count as UTF-16.
const SHORTEST_UNMARKED: usize = 8;

/// A source whose text cannot be converted to UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    /// The number of bytes is odd.
    #[error("the file is UTF-16 and ends in the middle of a character; save it as UTF-8")]
    Truncated,
    /// A surrogate without its other half.
    #[error("the file is UTF-16 with invalid characters (unpaired surrogates); save it as UTF-8")]
    Surrogate,
    /// Four bytes a character.
    #[error("the file is UTF-32; save it as UTF-8")]
    Utf32,
}

/// The byte order mark in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8WithMark,
    Utf16 {
        mark: usize,
        is_big_endian: bool,
    },
    Utf32,
    /// UTF-8 without a mark, or anything else.
    Other,
}

/// Returns a source text as UTF-8 without a byte order mark; other encodings than UTF-8 and UTF-16 as they are.
///
/// # Errors
/// When the text is damaged UTF-16, or UTF-32.
pub(crate) fn to_utf8(bytes: &[u8]) -> Result<Cow<'_, [u8]>, EncodingError> {
    match encoding(bytes) {
        Encoding::Other => Ok(Cow::Borrowed(bytes)),
        Encoding::Utf8WithMark => Ok(Cow::Borrowed(&bytes[3..])),
        Encoding::Utf32 => Err(EncodingError::Utf32),
        Encoding::Utf16 { mark, is_big_endian } => {
            let text = &bytes[mark..];
            if !text.len().is_multiple_of(2) {
                return Err(EncodingError::Truncated);
            }
            let text = String::from_utf16(&units(text, is_big_endian));
            text.map(|text| Cow::Owned(text.into_bytes())).map_err(|_| EncodingError::Surrogate)
        }
    }
}

/// As [`to_utf8`], for a part of a source or one that may be damaged: what cannot be converted is replaced or left as it is.
pub(crate) fn to_utf8_lossy(bytes: &[u8]) -> Cow<'_, [u8]> {
    match encoding(bytes) {
        Encoding::Utf16 { mark, is_big_endian } => {
            Cow::Owned(String::from_utf16_lossy(&units(&bytes[mark..], is_big_endian)).into_bytes())
        }
        _ => to_utf8(bytes).unwrap_or(Cow::Borrowed(bytes)),
    }
}

/// Whether bytes can be a source text: UTF-16, or without zero bytes.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    !bytes.contains(&0) || matches!(encoding(bytes), Encoding::Utf16 { .. })
}

impl Language {
    /// Returns the content of a program's file of that name as UTF-8, where it is a source or a header, with a byte order
    /// mark only where the language wants one. `names` are the names of all files of the program. Data keeps its bytes.
    ///
    /// # Errors
    /// When the text is damaged UTF-16, or UTF-32.
    pub fn source_as_utf8<'a>(
        &self,
        names: &[String],
        name: &str,
        bytes: &'a [u8],
    ) -> Result<Cow<'a, [u8]>, EncodingError> {
        if self.is_data(name) && !self.compiler_sources(names).iter().any(|compiled| compiled == name) {
            return Ok(Cow::Borrowed(bytes));
        }
        let text = to_utf8(bytes)?;
        if self.keeps_mark && matches!(encoding(bytes), Encoding::Utf8WithMark | Encoding::Utf16 { .. }) {
            return Ok(Cow::Owned([MARK, &text].concat()));
        }
        Ok(text)
    }
}

fn encoding(bytes: &[u8]) -> Encoding {
    match bytes {
        [0xef, 0xbb, 0xbf, ..] => Encoding::Utf8WithMark,
        // Also UTF-16 that begins with a zero character, which no source does.
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Encoding::Utf32,
        [0xff, 0xfe, ..] => Encoding::Utf16 { mark: 2, is_big_endian: false },
        [0xfe, 0xff, ..] => Encoding::Utf16 { mark: 2, is_big_endian: true },
        _ => match unmarked_utf16(bytes) {
            Some(is_big_endian) => Encoding::Utf16 { mark: 0, is_big_endian },
            None => Encoding::Other,
        },
    }
}

/// Whether bytes without a mark are UTF-16, and if so whether the higher byte comes first: most characters of a source are
/// ASCII, and one byte of each is zero.
fn unmarked_utf16(bytes: &[u8]) -> Option<bool> {
    if bytes.len() < SHORTEST_UNMARKED || !bytes.len().is_multiple_of(2) {
        return None;
    }
    let zeros = |first: usize| bytes.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let is_share = |count: usize| count * ASCII_SHARE > bytes.len() / 2;
    match (is_share(zeros(0)), is_share(zeros(1))) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    }
}

fn units(bytes: &[u8], is_big_endian: bool) -> Vec<u16> {
    let unit = |pair: &[u8]| {
        let pair = [pair[0], pair[1]];
        if is_big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    };
    bytes.chunks_exact(2).map(unit).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Table;
    use super::*;

    const TEXT: &str = "# Größe 😀\nprint(input())\n";

    fn little(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn utf16_becomes_utf8_with_and_without_a_mark() {
        let big: Vec<u8> = TEXT.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [
            [b"\xff\xfe", little(TEXT).as_slice()].concat(),
            [b"\xfe\xff", big.as_slice()].concat(),
            little(TEXT),
            big,
            [b"\xef\xbb\xbf", TEXT.as_bytes()].concat(),
            TEXT.as_bytes().to_vec(),
        ] {
            assert_eq!(to_utf8(&bytes).as_deref(), Ok(TEXT.as_bytes()));
            assert_eq!(&*to_utf8_lossy(&bytes), TEXT.as_bytes());
            assert!(is_text(&bytes));
        }
    }

    #[test]
    fn damaged_utf16_is_refused_and_searched_as_far_as_it_goes() {
        assert_eq!(to_utf8(b"\xff\xfea\0b"), Err(EncodingError::Truncated));
        assert_eq!(&*to_utf8_lossy(b"\xff\xfea\0b"), b"a");
        assert_eq!(to_utf8(b"\xff\xfe\x00\xd8"), Err(EncodingError::Surrogate));
        for bytes in [b"\xff\xfe\0\0a\0\0\0", b"\0\0\xfe\xff\0\0\0a"] {
            assert_eq!(to_utf8(bytes), Err(EncodingError::Utf32));
        }
    }

    #[test]
    fn other_encodings_keep_their_bytes() {
        for bytes in [
            &b"# Gr\xf6\xdfe\nprint(1)\n"[..],
            b"print('\0')\n",
            b"",
            b"\xff",
            b"\0\x01\0\x02",
            b"\0\0\0\0\0\0\0\0",
        ] {
            assert_eq!(to_utf8(bytes).as_deref(), Ok(bytes));
        }
    }

    #[test]
    fn data_beside_a_source_keeps_its_bytes() {
        let table = Table::built_in().unwrap();
        let python = table.get("python3").unwrap();
        let bytes = little("1234567890");
        let names = ["main.py".to_owned(), "table.txt".to_owned()];
        assert_eq!(python.source_as_utf8(&names, "table.txt", &bytes).as_deref(), Ok(bytes.as_slice()));
        assert_eq!(python.source_as_utf8(&names, "main.py", &bytes).as_deref(), Ok(&b"1234567890"[..]));
        // A source under a name of no language is compiled all the same.
        let alone = ["program".to_owned()];
        assert_eq!(python.source_as_utf8(&alone, "program", &bytes).as_deref(), Ok(&b"1234567890"[..]));
    }
}
