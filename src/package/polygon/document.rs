//! Parses `problem.xml` into elements that know their lines.
//!
//! Document type definitions are refused by the parser, so no entity can name a file or grow; the number of nodes is
//! bounded.

use roxmltree::{Document, Node, ParsingOptions};

use crate::package::source::error::PackageError;
use crate::package::source::error::one_line;

/// The file that makes a directory a Polygon package.
pub(crate) const FILE: &str = "problem.xml";

/// Elements, texts and comments of the largest package there could be.
const MAX_NODES: u32 = 2_000_000;

/// A parsed document.
#[derive(Debug)]
pub(super) struct Parsed<'text>(Document<'text>);

/// An element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'parsed, 'text>(Node<'parsed, 'text>);

/// Reads the text.
///
/// # Errors
/// When it is no XML, or has a document type definition.
pub(super) fn parse(text: &str) -> Result<Parsed<'_>, PackageError> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    match Document::parse_with_options(text, options) {
        Ok(document) => Ok(Parsed(document)),
        Err(error) => {
            let line = u64::from(error.pos().row);
            let problem = format!("it is not the XML expected: {}", one_line(&error.to_string()));
            Err(PackageError::value(line, "", problem, "correct it at that place"))
        }
    }
}

impl<'text> Parsed<'text> {
    /// The element `problem`.
    ///
    /// # Errors
    /// When the document is about something else.
    pub(super) fn root(&self) -> Result<Element<'_, 'text>, PackageError> {
        let root = Element(self.0.root_element());
        let name = root.0.tag_name().name();
        if name == "problem" {
            return Ok(root);
        }
        let problem = format!("it describes a '{}', not a problem", one_line(name));
        Err(PackageError::value(root.line(), "", problem, "name the package of one problem"))
    }
}

impl<'parsed, 'text> Element<'parsed, 'text> {
    /// The line it begins on.
    pub(super) fn line(&self) -> u64 {
        u64::from(self.0.document().text_pos_at(self.0.range().start).row)
    }

    /// The first child of that name.
    pub(super) fn child(&self, name: &str) -> Option<Self> {
        self.children(name).next()
    }

    /// All children of that name.
    pub(super) fn children(&self, name: &str) -> impl Iterator<Item = Self> + use<'parsed, 'text> {
        let name = name.to_owned();
        self.0.children().filter(move |node| node.is_element() && node.tag_name().name() == name).map(Self)
    }

    /// The first child of that name, which must be there.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn required(&self, name: &str) -> Result<Self, PackageError> {
        self.child(name)
            .ok_or_else(|| self.wrong(name, "it is missing".to_owned(), "build the package in Polygon again"))
    }

    /// An attribute's value.
    pub(super) fn attribute(&self, name: &str) -> Option<&'parsed str> {
        self.0.attribute(name)
    }

    /// An attribute that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub(super) fn required_attribute(&self, name: &str) -> Result<&'parsed str, PackageError> {
        self.attribute(name).ok_or_else(|| {
            self.wrong(name, "the attribute is missing".to_owned(), "build the package in Polygon again")
        })
    }

    /// The text in the element, without blanks around it.
    pub(super) fn text(&self) -> &'parsed str {
        self.0.text().unwrap_or_default().trim()
    }

    /// Names from the element below the root to this one, and that of a part of it: `judging.testset.time-limit`.
    fn path(&self, part: &str) -> String {
        let mut names: Vec<_> = self
            .0
            .ancestors()
            .filter(|node| node.is_element() && node.parent_element().is_some())
            .map(|node| node.tag_name().name())
            .collect();
        names.reverse();
        if !part.is_empty() {
            names.push(part);
        }
        names.join(".")
    }

    /// A wrong value in this element, or in a part of it.
    pub(super) fn wrong(&self, part: &str, problem: String, remedy: impl Into<String>) -> PackageError {
        PackageError::value(self.line(), &self.path(part), problem, remedy)
    }

    /// A feature asked for in this element, or in a part of it.
    pub(super) fn unsupported(&self, part: &str, found: String, supported: &'static str) -> PackageError {
        PackageError::unsupported(self.line(), &self.path(part), found, supported)
    }

    /// A number in an attribute; `None` where it is not there.
    ///
    /// # Errors
    /// When it is no number, or none that can be points.
    pub(super) fn points(&self, name: &str) -> Result<Option<f64>, PackageError> {
        let Some(text) = self.attribute(name) else { return Ok(None) };
        match text.trim().parse::<f64>() {
            Ok(number) if (0.0..=1e12).contains(&number) => Ok(Some(number)),
            _ => Err(self.wrong(
                name,
                format!("'{}' are no points", one_line(text)),
                "give a number of 0 or more",
            )),
        }
    }
}
