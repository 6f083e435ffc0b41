//! What somebody probably meant.

/// The candidate that differs least from a misspelt word; none when nothing is like it.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count().max(3);
    candidates
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= length.max(candidate.chars().count()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, delete, replace, or swap with their neighbour (optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    let mut previous = None;
    for (row, letter) in one.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, candidate) in other.iter().enumerate() {
            let replaced = last[column] + usize::from(letter != *candidate);
            let mut least = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            let is_swap =
                column > 0 && previous == Some(*candidate) && other.get(column - 1) == Some(&letter);
            if is_swap && let Some(before) = before_last.get(column - 1) {
                least = least.min(before + 1);
            }
            current.push(least);
        }
        before_last = std::mem::replace(&mut last, current);
        previous = Some(letter);
    }
    last.last().copied().unwrap_or_default()
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
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
    }
}
