//! Finds the name that a misspelt word probably means.

/// Returns the candidate that differs least from a misspelt word: in at most a third of its letters, by letters to insert,
/// delete, replace, or swap with their neighbour (optimal string alignment).
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count().max(3);
    candidates
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= length.max(candidate.chars().count()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_no_name_for_nonsense() {
        let names = ["queue", "slots", "package_roots", "tls.ca_file", "amqp.prefetch"];
        let find = |word| nearest(word, names.iter().copied());
        assert_eq!(find("qeueu"), None, "two swaps are two mistakes in five letters");
        assert_eq!(find("qeuue"), Some("queue"));
        assert_eq!(find("slot"), Some("slots"));
        assert_eq!(find("package_root"), Some("package_roots"));
        assert_eq!(find("tls.ca_fiel"), Some("tls.ca_file"));
        assert_eq!(find("zzzzzz"), None);
        assert_eq!(nearest("validatr", ["validation", "name"].into_iter()), Some("validation"));
    }
}
