//! Parses HUSTOJ's exchange format ("free problem set"): one XML file with any number of problems and their tests.
//!
//! Each problem becomes a directory as `qduoj` reads it, in the order of the file. Samples are tests as well, as when HUSTOJ
//! imports the file (`admin/problem_import_xml.php`).

use std::borrow::Cow;
use std::path::Path;

use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Value, json};

use crate::package::shared::names::PROBLEM_JSON;
use crate::package::source::error::{PackageError, one_line};

/// A file with all tests of a contest.
pub(crate) const LARGEST: u64 = 256 << 20;
const MOST_PROBLEMS: usize = 1000;
const MOST_TESTS: usize = 10_000;

/// A problem of the file: the directory's name, and files with their contents.
#[derive(Debug, PartialEq)]
pub(crate) struct Problem {
    pub(crate) name: String,
    pub(crate) files: Vec<(String, String)>,
}

/// Returns whether a file begins as this format does.
pub(crate) fn recognises(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    text.trim_start_matches('\u{feff}').trim_start().starts_with('<') && text.contains("<fps")
}

/// The problems in it.
///
/// # Errors
/// When it is not the XML expected.
pub(crate) fn parse(text: &str, file: &Path) -> Result<Vec<Problem>, PackageError> {
    let wrong = |line: u64, key: &str, problem: String, remedy: &str| {
        PackageError::value(line, key, problem, remedy).in_file(file)
    };
    let text = without_doctype(text.trim_start_matches('\u{feff}'));
    let text = text.as_ref();
    let options = ParsingOptions { nodes_limit: 1_000_000, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| {
        let problem = format!("not the XML expected: {}", one_line(&error.to_string()));
        wrong(u64::from(error.pos().row), "", problem, "correct it at that place; leave DTDs out")
    })?;
    let root = document.root_element();
    if root.tag_name().name() != "fps" {
        let problem = format!("its root is <{}>", one_line(root.tag_name().name()));
        return Err(wrong(1, "", problem, "give a file of <fps> with <item>"));
    }
    let mut problems = Vec::new();
    for item in root.children().filter(|node| node.has_tag_name("item")) {
        let number = problems.len() + 1;
        // Counted only where it is shown: each time it is all lines before it.
        let line = || u64::from(document.text_pos_at(item.range().start).row);
        if number > MOST_PROBLEMS {
            return Err(wrong(
                line(),
                "item",
                format!("there are more than {MOST_PROBLEMS}"),
                "split the file",
            ));
        }
        let problem = problem(item, number).map_err(|(key, problem)| {
            wrong(line(), &format!("item[{number}].{key}"), problem, "correct it")
        })?;
        problems.push(problem);
    }
    if problems.is_empty() {
        return Err(wrong(1, "item", "there are no problems".to_owned(), "add <item>"));
    }
    Ok(problems)
}

/// The text without the document type that HUSTOJ writes: one that names a file elsewhere, which is never read. One that
/// declares something itself stays, and is refused.
fn without_doctype(text: &str) -> Cow<'_, str> {
    let head = text.find("<fps").and_then(|end| text.get(..end)).unwrap_or_default();
    let Some(start) = head.find("<!DOCTYPE") else { return Cow::Borrowed(text) };
    let Some(end) = head[start..].find('>').map(|length| start + length + 1) else {
        return Cow::Borrowed(text);
    };
    let declaration = &head[start..end];
    if declaration.contains('[') {
        return Cow::Borrowed(text);
    }
    let lines = "\n".repeat(declaration.matches('\n').count());
    Cow::Owned([&text[..start], &lines, &text[end..]].concat())
}

/// One item; what is wrong with it by its key.
fn problem(item: Node<'_, '_>, number: usize) -> Result<Problem, (&'static str, String)> {
    let child = |name: &str| item.children().find(|node| node.has_tag_name(name));
    let text = |name: &str| child(name).map(content).unwrap_or_default();
    let limit = |name: &'static str, units: &[(&str, f64)]| -> Result<f64, (&'static str, String)> {
        let node = child(name).ok_or((name, "it is missing".to_owned()))?;
        let value = content(node);
        let unit = node.attribute("unit").unwrap_or_default().to_ascii_lowercase();
        let factor = units.iter().find(|(known, _)| *known == unit).map(|(_, factor)| *factor);
        let factor = factor.ok_or_else(|| (name, format!("the unit '{}' is not known", one_line(&unit))))?;
        let number = value.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
        number
            .map(|number| number * factor)
            .ok_or_else(|| (name, format!("'{}' is no limit", one_line(&value))))
    };
    let time = limit("time_limit", &[("s", 1000.0), ("ms", 1.0), ("", 1000.0)])?;
    let memory = limit("memory_limit", &[("mb", 1.0), ("kb", 1.0 / 1024.0), ("", 1.0)])?;
    let mut files = Vec::new();
    let mut cases = Vec::new();
    for (input, output, sample) in
        [("sample_input", "sample_output", true), ("test_input", "test_output", false)]
    {
        for (place, (input, output)) in pairs(item, input, output)?.into_iter().enumerate() {
            if sample && input.is_empty() && output.is_empty() {
                continue;
            }
            if cases.len() >= MOST_TESTS {
                return Err(("test_input", format!("there are more than {MOST_TESTS}")));
            }
            let name = if sample { format!("sample{}", place + 1) } else { format!("test{}", place + 1) };
            cases.push(
                json!({"input_name": format!("{name}.in"), "output_name": format!("{name}.out"), "score": 0}),
            );
            files.push((format!("testcase/{name}.in"), input));
            files.push((format!("testcase/{name}.out"), output));
        }
    }
    let program = |node: Node<'_, '_>| {
        let language = node.attribute("language").unwrap_or("C++");
        json!({"language": language, "code": content(node)})
    };
    refuse_unknown(item)?;
    let decider = |name: &'static str| child(name).filter(|node| !content(*node).trim().is_empty());
    if decider("spj").and_then(|node| node.attribute("language")) == Some("Text") {
        return Err(("spj", "judging by text (language=\"Text\") is not supported".to_owned()));
    }
    let [spj, tpj, interactor] = ["spj", "tpj", "interactor"].map(|name| decider(name).map(program));
    let answers: Vec<_> = item.children().filter(|node| node.has_tag_name("solution")).map(program).collect();
    let mut templates = serde_json::Map::new();
    for key in ["prepend", "append"] {
        for node in item.children().filter(|node| node.has_tag_name(key)) {
            let language = node.attribute("language").unwrap_or("C++").to_owned();
            let entry = templates.entry(language).or_insert_with(|| json!({}));
            if let Value::Object(map) = entry {
                map.insert(key.to_owned(), content(node).into());
            }
        }
    }
    let title = text("title");
    let settings = json!({
        "gavel_origin": "fps",
        "title": title,
        "time_limit": time,
        "memory_limit": memory,
        "rule_type": "ACM",
        "spj": spj,
        "tpj": tpj,
        "interactor": interactor,
        "template": templates,
        "answers": answers,
        "test_case_score": cases,
    });
    files.push((PROBLEM_JSON.to_owned(), settings.to_string()));
    let plain: String =
        title.chars().filter(|character| character.is_alphanumeric() || *character == ' ').take(40).collect();
    let name = format!("{number:03} {}", plain.trim()).trim().replace(' ', "-");
    Ok(Problem { name, files })
}

/// Elements that say something else than how outputs are judged.
const KNOWN: &[&str] = &[
    "title",
    "url",
    "time_limit",
    "memory_limit",
    "description",
    "input",
    "output",
    "sample_input",
    "sample_output",
    "test_input",
    "test_output",
    "hint",
    "source",
    "solution",
    "spj",
    "tpj",
    "interactor",
    "template",
    "prepend",
    "append",
    "img",
    "remote_oj",
    "remote_id",
    "author",
    "level",
    "tag",
    "tags",
];

/// Refuses elements that nothing here reads: one of them may be a checker of a newer HUSTOJ.
fn refuse_unknown(item: Node<'_, '_>) -> Result<(), (&'static str, String)> {
    let unknown = item.children().find(|node| node.is_element() && !KNOWN.contains(&node.tag_name().name()));
    match unknown {
        Some(node) => Err((
            "item",
            format!("<{}> is not known, and may decide about outputs", one_line(node.tag_name().name())),
        )),
        None => Ok(()),
    }
}

/// Inputs with their outputs: by the attribute `name` where all have one, else by their order.
fn pairs(
    item: Node<'_, '_>,
    input: &'static str,
    output: &'static str,
) -> Result<Vec<(String, String)>, (&'static str, String)> {
    let all = |tag: &'static str| -> Vec<Node<'_, '_>> {
        item.children().filter(|node| node.has_tag_name(tag)).collect()
    };
    let (inputs, outputs) = (all(input), all(output));
    if inputs.len() != outputs.len() {
        return Err((input, format!("{} of them, and {} <{output}>", inputs.len(), outputs.len())));
    }
    let named = inputs.iter().chain(&outputs).filter(|node| node.attribute("name").is_some()).count();
    if named == 0 {
        let both = inputs.into_iter().zip(outputs);
        return Ok(both.map(|(input, output)| (content(input), content(output))).collect());
    }
    if named != inputs.len() + outputs.len() {
        return Err((input, "some have a name and some have none".to_owned()));
    }
    let name = |node: &Node<'_, '_>| node.attribute("name").unwrap_or_default().to_owned();
    let mut by_name = std::collections::HashMap::new();
    for node in &outputs {
        if by_name.insert(name(node), *node).is_some() {
            return Err((output, format!("there are two of the name '{}'", one_line(&name(node)))));
        }
    }
    let both = inputs.iter().map(|node| {
        let missing = || (input, format!("'{}' has no <{output}> of the same name", one_line(&name(node))));
        by_name.remove(&name(node)).map(|output| (content(*node), content(output))).ok_or_else(missing)
    });
    both.collect()
}

/// All text in an element.
fn content(node: Node<'_, '_>) -> String {
    node.descendants().filter(Node::is_text).filter_map(|text| text.text()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: &str = "<item><title>A + B</title><time_limit unit='s'>1</time_limit><memory_limit unit='mb'>64</memory_limit>\
         <sample_input>1 2</sample_input><sample_output>3</sample_output>\
         <test_input><![CDATA[5 6\n]]></test_input><test_output>11\n</test_output>\
         <solution language='C++'>int main() {}</solution></item>";

    fn parsed(text: &str) -> Result<Vec<Problem>, String> {
        parse(text, Path::new("set.xml")).map_err(|error| error.to_string())
    }

    #[test]
    fn items_become_directories() {
        let text = format!("<?xml version='1.0'?>\n<fps version='1.2'>{ITEM}{ITEM}</fps>");
        assert!(recognises(text.as_bytes()));
        let problems = parsed(&text).unwrap();
        assert_eq!(problems[1].name, "002-A--B");
        let names: Vec<_> = problems[0].files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "testcase/sample1.in",
                "testcase/sample1.out",
                "testcase/test1.in",
                "testcase/test1.out",
                "problem.json"
            ]
        );
        assert_eq!(problems[0].files[2].1, "5 6\n");
    }

    #[test]
    fn the_document_type_that_hustoj_writes_is_passed_over() {
        let text = format!(
            "<?xml version='1.0'?>\n<!DOCTYPE fps PUBLIC\n \"-//x//EN\" \"http://x/fps.dtd\" >\n<fps>{ITEM}</fps>"
        );
        assert!(recognises(text.as_bytes()));
        assert_eq!(parsed(&text).unwrap().len(), 1);
        let error = parsed(&text.replace("</title>", "</title><x>")).unwrap_err();
        assert!(error.starts_with("set.xml:6:"), "{error}");
    }

    #[test]
    fn tests_with_names_are_paired_by_them() {
        let tests = "<test_input name='a'>1</test_input><test_output name='b'>22</test_output>\
             <test_input name='b'>2</test_input><test_output name='a'>11</test_output>";
        let item = |tests: &str| {
            format!(
                "<fps>{}</fps>",
                ITEM.replace(
                    "<test_input><![CDATA[5 6\n]]></test_input><test_output>11\n</test_output>",
                    tests
                )
            )
        };
        let problems = parsed(&item(tests)).unwrap();
        let find = |name: &str| problems[0].files.iter().find(|(known, _)| known == name).unwrap().1.as_str();
        assert_eq!((find("testcase/test1.in"), find("testcase/test1.out")), ("1", "11"));
        assert_eq!((find("testcase/test2.in"), find("testcase/test2.out")), ("2", "22"));
        for (tests, expected) in [
            (
                tests.replace("test_output name='b'", "test_output name='c'"),
                "'b' has no <test_output> of the same name",
            ),
            (tests.replace("test_output name='b'", "test_output name='a'"), "two of the name 'a'"),
            (tests.replace("test_output name='b'", "test_output"), "some have a name"),
        ] {
            let error = parsed(&item(&tests)).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let without = |part: &str| format!("<fps>{}</fps>", ITEM.replace(part, ""));
        for (text, expected) in [
            ("<fps>".to_owned(), "set.xml:1: not the XML expected"),
            ("<fps/>".to_owned(), "item: there are no problems"),
            ("<x><fps/></x>".to_owned(), "its root is <x>"),
            (
                without("<test_output>11\n</test_output>"),
                "item[1].test_input: 1 of them, and 0 <test_output>",
            ),
            (without("<time_limit unit='s'>1</time_limit>"), "item[1].time_limit: it is missing"),
            (
                format!("<fps>{}</fps>", ITEM.replace("'mb'>64", "'mb'>x")),
                "item[1].memory_limit: 'x' is no limit",
            ),
            (format!("<fps>{}</fps>", ITEM.replace("unit='s'", "unit='h'")), "the unit 'h' is not known"),
            (format!("<fps>{}</fps>", ITEM.replace("<title>", "<upj>x</upj><title>")), "<upj> is not known"),
            (
                format!("<fps>{}</fps>", ITEM.replace("<title>", "<spj language='Text'>x</spj><title>")),
                "judging by text",
            ),
            ("<!DOCTYPE a [<!ENTITY b 'c'>]><fps>&b;</fps>".to_owned(), "not the XML expected"),
        ] {
            let error = parsed(&text).unwrap_err();
            assert!(error.contains(expected) && !error.contains('\n'), "{expected}: {error}");
        }
    }
}
