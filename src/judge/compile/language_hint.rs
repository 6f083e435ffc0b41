//! Finds the language that a package means: by its own code for it, or by the endings of its files.

use crate::language::{Language, Table};
use crate::package::{JuryProgram, LanguageHint};

/// Returns the language of a jury's program; where the package names one that is not in the table, the one its files'
/// endings tell.
pub(crate) fn find_language<'a>(
    table: &'a Table,
    hint: &LanguageHint,
    program: &JuryProgram,
) -> Option<&'a Language> {
    if let LanguageHint::Id(id) = hint {
        return table.get(id);
    }
    let paths: Vec<_> = program.files.iter().map(|file| file.path.clone()).collect();
    language_named(table, hint).or_else(|| table.guess(&paths))
}

/// Returns the language that a hint names by itself.
pub(crate) fn language_named<'a>(table: &'a Table, hint: &LanguageHint) -> Option<&'a Language> {
    match hint {
        LanguageHint::Files => None,
        LanguageHint::Id(id) => table.get(id),
        LanguageHint::Kattis(code) => table.named(code),
        LanguageHint::Polygon(code) => polygon_id(code).and_then(|id| table.named(&id)),
        LanguageHint::Dmoj(code) => {
            let code = code.to_ascii_lowercase();
            table.named(match code.as_str() {
                "py3" | "pypy3" => "python3",
                "py2" | "pypy2" => "python2",
                other => other,
            })
        }
        LanguageHint::Ending(ending) => table.guess(&[format!("x.{ending}").into()]),
    }
}

/// Returns the languages of the same family with smaller numbers, the largest first: `cpp17` for `cpp20`.
pub(crate) fn older_standards<'a>(table: &'a Table, id: &str) -> Vec<&'a Language> {
    let parts = |id: &str| {
        let family = id.trim_end_matches(|character: char| character.is_ascii_digit());
        id[family.len()..].parse::<u32>().ok().map(|number| (family.to_owned(), number))
    };
    let Some((family, number)) = parts(id) else { return Vec::new() };
    let mut older: Vec<_> = table
        .languages
        .iter()
        .filter_map(|language| Some((parts(&language.id)?, language)))
        .filter(|((other, older), _)| *other == family && *older < number)
        .collect();
    older.sort_by_key(|((_, number), _)| std::cmp::Reverse(*number));
    older.into_iter().map(|(_, language)| language).collect()
}

/// Translates Polygon's code: `cpp17` for `cpp.g++17` and `cpp.gcc-13-64-winlibs-g++17`, `python3` for `python.3`; `None`
/// where the ending of the file tells the language.
fn polygon_id(code: &str) -> Option<String> {
    let (family, variant) = code.split_once('.')?;
    match family {
        "cpp" => variant.rsplit_once("g++").map(|(_, standard)| format!("cpp{standard}")),
        "python" => variant.chars().next_back().map(|version| format!("python{version}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polygon_names_the_standard_and_the_version() {
        for (code, id) in [
            ("cpp.g++17", Some("cpp17")),
            ("cpp.gcc-13-64-winlibs-g++20", Some("cpp20")),
            ("cpp.ms2017", None),
            ("python.3", Some("python3")),
            ("python.pypy3", Some("python3")),
            ("java8", None),
        ] {
            assert_eq!(polygon_id(code).as_deref(), id, "{code}");
        }
    }

    #[test]
    fn older_standards_are_of_the_same_family() {
        let table = Table::built_in().unwrap();
        let older =
            |id| older_standards(&table, id).iter().map(|language| language.id.as_str()).collect::<Vec<_>>();
        assert_eq!(older("cpp23"), ["cpp20", "cpp17", "cpp14", "cpp11"]);
        assert_eq!(older("cpp11"), Vec::<&str>::new());
        assert_eq!(older("go"), Vec::<&str>::new());
        assert_eq!(older("cpp20-clang"), Vec::<&str>::new());
    }
}
