//! Compiles POSIX extended regular expressions over bytes, and finds the longest match at a position of the input.
//!
//! An expression is translated into the syntax of `regex-syntax` byte by byte, and a lazy automaton finds its longest match in
//! linear time. As in checktestdata (C++'s `std::regex::extended` in the C locale): `.` is any byte but NUL, a backslash
//! in brackets stands for itself, `^` and `$` are the place where matching begins and the end of the input, and a
//! repetition may follow another. An escaped letter or digit (`\d`) has no meaning in POSIX and is refused.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::start;
use regex_automata::util::syntax;
use regex_automata::{Anchored, MatchKind};

use super::input::Input;

/// Most bytes of a compiled expression.
const COMPILED: usize = 4 << 20;
/// Most bytes of the states that matching builds.
const BUILT: usize = 8 << 20;
/// Bytes of states that matching visits in about the time of one step of a script.
const BYTES_PER_STEP: u64 = 2 << 10;
/// Most bytes of cached expressions.
const KEPT: usize = 128 << 20;
/// Most cached expressions.
const MOST_KEPT: usize = 256;
/// Most bytes of an expression's text.
const LONGEST: usize = 64 << 10;
/// Most levels of nested parentheses and repetitions.
const DEEPEST: u32 = 64;
/// The largest number in `{n,m}`: the least that POSIX requires (`RE_DUP_MAX`).
const MOST_REPETITIONS: u32 = 32_767;

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Regex {
    automaton: DFA,
    cache: Cache,
}

/// The result of a search.
pub(super) enum Found {
    /// Length of the longest match in bytes.
    Match(usize),
    None,
    /// `may_go_on` returned `false`.
    Stopped,
}

impl Regex {
    pub(super) fn new(pattern: &[u8]) -> Result<Self, String> {
        if pattern.len() > LONGEST {
            return Err("the regular expression has more than 64 KiB".to_owned());
        }
        let translated = Translator { pattern, place: 0, depth: 0 }.whole()?;
        let automaton = DFA::builder()
            .configure(DFA::config().match_kind(MatchKind::All).cache_capacity(BUILT))
            .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(COMPILED)))
            .syntax(syntax::Config::new().unicode(false).utf8(false).dot_matches_new_line(true))
            .build(&translated)
            .map_err(|_| "the regular expression is too large".to_owned())?;
        let cache = automaton.create_cache();
        Ok(Self { automaton, cache })
    }

    /// Returns the bytes of its states.
    fn size(&self) -> usize {
        self.automaton.get_nfa().memory_usage() + self.cache.memory_usage()
    }

    /// Estimates the work of matching a byte, in steps of a script: building a state visits all states of the expression.
    pub(super) fn work_per_byte(&self) -> u64 {
        1 + self.automaton.get_nfa().memory_usage() as u64 / BYTES_PER_STEP
    }

    /// Finds the longest match that begins at the next byte of the input; calls `may_go_on` before every byte.
    pub(super) fn longest(
        &mut self,
        input: &mut Input<'_>,
        may_go_on: &mut dyn FnMut(usize) -> bool,
    ) -> io::Result<Found> {
        // Neither a full cache nor quit bytes are configured, so that only bugs of ours are errors here.
        let broken = |error: &dyn std::fmt::Display| io::Error::other(format!("regular expression: {error}"));
        let (automaton, cache) = (&self.automaton, &mut self.cache);
        let begin = start::Config::new().anchored(Anchored::Yes);
        let mut state = automaton.start_state(cache, &begin).map_err(|error| broken(&error))?;
        let mut longest = None;
        // A state says whether the bytes before the last one match.
        for length in 0.. {
            if !may_go_on(length) {
                return Ok(Found::Stopped);
            }
            let byte = input.at(length)?;
            state = match byte {
                Some(byte) => automaton.next_state(cache, state, byte),
                None => automaton.next_eoi_state(cache, state),
            }
            .map_err(|error| broken(&error))?;
            if state.is_match() {
                longest = Some(length);
            }
            if byte.is_none() || state.is_dead() || state.is_quit() {
                break;
            }
        }
        Ok(longest.map_or(Found::None, Found::Match))
    }
}

/// Caches compiled expressions by pattern. Drops the least recently used when they exceed their memory.
#[derive(Debug)]
pub(super) struct RegexCache {
    entries: HashMap<Arc<[u8]>, Entry>,
    /// Most bytes of all expressions.
    most: usize,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    regex: Regex,
    last_use: u64,
}

impl Default for RegexCache {
    fn default() -> Self {
        Self { entries: HashMap::new(), most: KEPT, uses: 0 }
    }
}

impl RegexCache {
    pub(super) fn contains(&self, pattern: &[u8]) -> bool {
        self.entries.contains_key(pattern)
    }

    /// Returns the compiled expression of a pattern, from the cache where it is there.
    ///
    /// # Errors
    /// When the pattern is not valid.
    pub(super) fn get(&mut self, pattern: &Arc<[u8]>) -> Result<&mut Regex, String> {
        let regex = match self.entries.remove(pattern) {
            Some(entry) => entry.regex,
            None => Regex::new(pattern)?,
        };
        self.make_room(regex.size());
        self.uses += 1;
        let entry = Entry { regex, last_use: self.uses };
        Ok(&mut self.entries.entry(pattern.clone()).insert_entry(entry).into_mut().regex)
    }

    fn make_room(&mut self, needed: usize) {
        // Matching builds states, so that sizes change between two calls.
        let mut size = needed + self.entries.values().map(|entry| entry.regex.size()).sum::<usize>();
        while size > self.most || self.entries.len() >= MOST_KEPT {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.last_use);
            let Some(pattern) = oldest.map(|(pattern, _)| pattern.clone()) else { return };
            size -= self.entries.remove(&pattern).map_or(0, |entry| entry.regex.size());
        }
    }
}

struct Translator<'a> {
    pattern: &'a [u8],
    place: usize,
    depth: u32,
}

impl Translator<'_> {
    fn peek(&self) -> Option<u8> {
        self.pattern.get(self.place).copied()
    }

    fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.place += usize::from(found);
        found
    }

    fn error<T>(&self, message: &str) -> Result<T, String> {
        Err(format!("{message} at byte {} of the regular expression", self.place + 1))
    }

    fn whole(mut self) -> Result<String, String> {
        let translated = self.alternatives()?;
        if self.place < self.pattern.len() { self.error("unmatched ')'") } else { Ok(translated) }
    }

    fn alternatives(&mut self) -> Result<String, String> {
        let mut translated = String::from("(?:");
        loop {
            self.branch(&mut translated)?;
            if !self.accept(b'|') {
                translated.push(')');
                return Ok(translated);
            }
            translated.push('|');
        }
    }

    fn branch(&mut self, translated: &mut String) -> Result<(), String> {
        while let Some(byte) = self.peek() {
            if matches!(byte, b'|' | b')') {
                return Ok(());
            }
            let piece = self.piece(byte)?;
            translated.push_str(&piece);
        }
        Ok(())
    }

    /// Translates an atom and its repetitions.
    fn piece(&mut self, byte: u8) -> Result<String, String> {
        self.place += 1;
        let mut atom = match byte {
            b'(' => {
                if self.depth >= DEEPEST {
                    return self.error("too many parentheses within each other");
                }
                self.depth += 1;
                let inner = self.alternatives()?;
                self.depth -= 1;
                if !self.accept(b')') {
                    return self.error("missing ')'");
                }
                inner
            }
            b'[' => self.brackets()?,
            b'.' => r"[^\x00]".to_owned(),
            b'^' => return Ok(r"\A".to_owned()),
            b'$' => return Ok(r"\z".to_owned()),
            b'\\' => self.escaped()?,
            b'*' | b'+' | b'?' | b'{' => {
                self.place -= 1;
                return self.error("nothing to repeat");
            }
            other => literal(other),
        };
        let mut repetitions = 0;
        while let Some(repetition) = self.repetition()? {
            repetitions += 1;
            if repetitions > DEEPEST {
                return self.error("too many repetitions of one another");
            }
            atom = format!("(?:{atom}{repetition})");
        }
        Ok(atom)
    }

    fn escaped(&mut self) -> Result<String, String> {
        let Some(byte) = self.peek() else { return self.error("a backslash without a character") };
        if byte.is_ascii_alphanumeric() {
            let shown = char::from(byte);
            return self.error(&format!("'\\{shown}' is not part of POSIX extended regular expressions"));
        }
        self.place += 1;
        Ok(literal(byte))
    }

    fn repetition(&mut self) -> Result<Option<String>, String> {
        for plain in [b'*', b'+', b'?'] {
            if self.accept(plain) {
                return Ok(Some(char::from(plain).to_string()));
            }
        }
        if !self.accept(b'{') {
            return Ok(None);
        }
        let Some(least) = self.number() else { return self.error("expected a number after '{'") };
        let mut most = Some(least);
        if self.accept(b',') {
            most = self.number();
        }
        if !self.accept(b'}') {
            return self.error("expected '}'");
        }
        if least > MOST_REPETITIONS || most.is_some_and(|most| most < least || most > MOST_REPETITIONS) {
            return self.error("invalid range of repetitions");
        }
        Ok(Some(match most {
            Some(most) => format!("{{{least},{most}}}"),
            None => format!("{{{least},}}"),
        }))
    }

    fn number(&mut self) -> Option<u32> {
        let digits = self.pattern[self.place..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let text = std::str::from_utf8(&self.pattern[self.place..self.place + digits]).ok()?;
        self.place += digits;
        if digits == 0 { None } else { Some(text.parse().unwrap_or(u32::MAX)) }
    }

    /// Translates a bracket expression, after its `[`.
    fn brackets(&mut self) -> Result<String, String> {
        let mut set = [false; 256];
        let is_complement = self.accept(b'^');
        let mut is_first = true;
        loop {
            let Some(byte) = self.peek() else { return self.error("missing ']'") };
            if byte == b']' && !is_first {
                self.place += 1;
                break;
            }
            is_first = false;
            let next = self.pattern.get(self.place + 1).copied();
            if byte == b'[' && next == Some(b':') {
                self.class(&mut set)?;
                continue;
            }
            let low = self.element()?;
            let after = self.pattern.get(self.place + 1).copied();
            let high = if self.peek() == Some(b'-') && after.is_some_and(|after| after != b']') {
                self.place += 1;
                self.element()?
            } else {
                low
            };
            if high < low {
                return self.error("a range that ends before it begins");
            }
            set[usize::from(low)..=usize::from(high)].fill(true);
        }
        if is_complement {
            set.iter_mut().for_each(|member| *member = !*member);
        }
        Ok(as_class(&set))
    }

    /// Reads one character of a bracket expression: itself, `[.x.]` or `[=x=]`.
    fn element(&mut self) -> Result<u8, String> {
        let rest = &self.pattern[self.place..];
        if let [b'[', open @ (b'.' | b'='), byte, close, b']', ..] = rest
            && open == close
        {
            self.place += 5;
            return Ok(*byte);
        }
        if matches!(rest, [b'[', b'.' | b'=', ..]) {
            return self.error("collating elements of several characters are not supported");
        }
        match rest.first() {
            Some(byte) => {
                self.place += 1;
                Ok(*byte)
            }
            None => self.error("missing ']'"),
        }
    }

    fn class(&mut self, set: &mut [bool; 256]) -> Result<(), String> {
        let rest = &self.pattern[self.place + 2..];
        let length = rest.windows(2).position(|end| end == b":]");
        let name = length.map_or(&rest[..0], |length| &rest[..length]);
        let belongs: fn(&u8) -> bool = match name {
            b"alpha" => u8::is_ascii_alphabetic,
            b"digit" => u8::is_ascii_digit,
            b"alnum" => u8::is_ascii_alphanumeric,
            b"upper" => u8::is_ascii_uppercase,
            b"lower" => u8::is_ascii_lowercase,
            b"space" => |byte| matches!(byte, b' ' | 9..=13),
            b"blank" => |byte| matches!(byte, b' ' | b'\t'),
            b"punct" => u8::is_ascii_punctuation,
            b"print" => |byte| matches!(byte, b' '..=b'~'),
            b"graph" => u8::is_ascii_graphic,
            b"cntrl" => u8::is_ascii_control,
            b"xdigit" => u8::is_ascii_hexdigit,
            _ => return self.error("unknown character class"),
        };
        for byte in 0..=255_u8 {
            set[usize::from(byte)] |= belongs(&byte);
        }
        self.place += 4 + name.len();
        Ok(())
    }
}

fn literal(byte: u8) -> String {
    format!("\\x{byte:02X}")
}

/// Returns a class of `regex-syntax` with these bytes.
fn as_class(set: &[bool; 256]) -> String {
    let mut class = String::from("[");
    let mut low = 0;
    while let Some(begin) = (low..256).find(|&byte| set[byte]) {
        low = (begin..256).find(|&byte| !set[byte]).unwrap_or(256);
        // Infallible: a string is written to.
        let _ = write!(class, "\\x{begin:02X}-\\x{:02X}", low - 1);
    }
    // No byte at all matches nothing.
    if class == "[" { r"[^\x00-\xFF]".to_owned() } else { class + "]" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn longest(pattern: &str, text: &[u8]) -> Option<usize> {
        let mut source = text;
        let mut input = Input::new(&mut source);
        let mut regex = Regex::new(pattern.as_bytes()).unwrap();
        match regex.longest(&mut input, &mut |_| true).unwrap() {
            Found::Match(length) => Some(length),
            Found::None => None,
            Found::Stopped => panic!("nothing stops it"),
        }
    }

    #[test]
    fn the_longest_match_is_found_whatever_the_order_of_alternatives() {
        assert_eq!(longest("a|ab", b"abc"), Some(2));
        assert_eq!(longest("(a|ab)(c|bcd)*", b"abcd"), Some(4));
        assert_eq!(longest("(p|ps)", b"ps"), Some(2));
        assert_eq!(longest("a*", b"b"), Some(0));
        assert_eq!(longest("a+", b"b"), None);
        assert_eq!(longest("", b""), Some(0));
        assert_eq!(longest("()|x", b"x"), Some(1));
    }

    #[test]
    fn expressions_in_use_stay_compiled_within_a_bound_of_memory() {
        let mut cache = RegexCache::default();
        let patterns: Vec<Arc<[u8]>> =
            (1..=100).map(|number| format!("(a{{0,20}}){{0,{number}}}").into_bytes().into()).collect();
        for pattern in &patterns {
            assert!(!cache.contains(pattern));
            cache.get(pattern).unwrap();
        }
        assert!(patterns.iter().all(|pattern| cache.contains(pattern)));
        let size = cache.entries.values().map(|entry| entry.regex.size()).sum::<usize>();
        let mut cache = RegexCache { most: size / 2, ..RegexCache::default() };
        for pattern in &patterns {
            cache.get(&patterns[0]).unwrap();
            cache.get(pattern).unwrap();
            assert!(cache.contains(&patterns[0]) && cache.contains(pattern));
            assert!(cache.entries.values().map(|entry| entry.regex.size()).sum::<usize>() <= size / 2);
        }
        assert!(!cache.contains(&patterns[1]));
    }

    #[test]
    fn brackets_are_those_of_posix() {
        assert_eq!(longest(r"[\d]+", b"d\\dx"), Some(3));
        assert_eq!(longest("[]a]+", b"a]b"), Some(2));
        assert_eq!(longest("[^]a]+", b"bc]"), Some(2));
        assert_eq!(longest("[a-]+", b"-a-b"), Some(3));
        assert_eq!(longest("[[:upper:][:digit:]_]+", b"A1_b"), Some(3));
        assert_eq!(longest("[[.-.]a]+", b"-a"), Some(2));
        assert_eq!(longest("[^\n]*\n", b"ab\ncd\n"), Some(3));
        assert_eq!(longest(".*", b"ab\ncd\n"), Some(6));
        assert_eq!(longest(".*", b"ab\0c"), Some(2));
        assert_eq!(longest("[^x]+", b"\xff\xfex"), Some(2));
    }

    #[test]
    fn anchors_and_repetitions() {
        assert_eq!(longest("^a{2,3}$", b"aaa"), Some(3));
        assert_eq!(longest("^a{2,3}$", b"aaaa"), None);
        assert_eq!(longest("a{2,3}?", b"aaaa"), Some(3));
        assert_eq!(longest("a{2}", b"aaaa"), Some(2));
        assert_eq!(longest("(ab){2,}", b"ababab"), Some(6));
        assert_eq!(longest(r"a\.b\-", b"a.b-"), Some(4));
        assert_eq!(longest("a}]", b"a}]"), Some(3));
    }

    #[test]
    fn what_posix_leaves_open_is_refused_by_name() {
        for (pattern, part) in [
            (r"\d+", r"'\d'"),
            ("a{", "after '{'"),
            ("a{3,2}", "range"),
            ("*a", "nothing to repeat"),
            ("^*", "nothing to repeat"),
            ("(a", "missing ')'"),
            ("a)", "unmatched ')'"),
            ("[a", "missing ']'"),
            ("[z-a]", "range"),
            ("[[:nope:]]", "class"),
            ("a\\", "backslash"),
            ("((((a{999}){999}){999}){999})", "too large"),
        ] {
            let error = Regex::new(pattern.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{pattern}: {error}");
        }
    }
}
