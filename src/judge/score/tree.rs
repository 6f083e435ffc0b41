//! Maps the requested tests to the groups that hold them, and orders the tests for judging.
//!
//! Groups without any of these tests are left out, and nothing waits for them. The order is a walk through the tree,
//! members in their own order, that visits what a group depends on before the group.

use std::collections::HashMap;

use crate::judge::fault::Fault;
use crate::package::{Group, Member, Package, Test};

/// A group, and its place among its parents.
pub(crate) struct Node<'a> {
    pub(crate) group: &'a Group,
    /// Members with tests that were asked for, in order; a test is its place among those.
    pub(crate) members: Vec<Member>,
    /// Groups that hold it, each with its place among their members.
    pub(crate) parents: Vec<(usize, usize)>,
    /// Groups it depends on, and groups that depend on it.
    pub(crate) dependencies: Vec<usize>,
    pub(crate) dependents: Vec<usize>,
}

/// The tree of groups over the tests asked for.
pub(crate) struct Groups<'a> {
    /// As in the package.
    pub(crate) nodes: Vec<Node<'a>>,
    /// By test: the groups it stands in directly, each with its place among their members.
    pub(crate) places: Vec<Vec<(usize, usize)>>,
    /// By test: every group it stands in, the root too, inner before outer.
    pub(crate) holders: Vec<Vec<usize>>,
    /// Tests in judging order.
    pub(crate) order: Vec<usize>,
}

impl<'a> Groups<'a> {
    /// # Errors
    /// [`Fault::Package`] when a test stands in no group, or groups hold or depend on each other in a circle.
    pub(crate) fn new(package: &'a Package, tests: &[&Test]) -> Result<Self, Fault> {
        let mut asked = vec![None; package.tests.len()];
        let mut found = tests.iter().enumerate().peekable();
        for (test, place) in package.tests.iter().zip(&mut asked) {
            if let Some((number, _)) = found.next_if(|(_, wanted)| std::ptr::eq(**wanted, test)) {
                *place = Some(number);
            }
        }
        let mut walk = Walk {
            groups: &package.groups,
            asked: &asked,
            states: vec![State::New; package.groups.len()],
            names: package
                .groups
                .iter()
                .enumerate()
                .map(|(place, group)| (group.name.as_str(), place))
                .collect(),
            nodes: package.groups.iter().map(Node::empty).collect(),
            order: Vec::new(),
            is_ordered: vec![false; tests.len()],
        };
        walk.visit(0)?;
        let Walk { mut nodes, order, is_ordered, .. } = walk;
        if let Some(test) = is_ordered.iter().position(|is_ordered| !is_ordered) {
            let name = tests.get(test).map_or("", |test| test.name.as_str());
            return Err(Fault::Package(format!("test {name} stands in no group")));
        }
        let mut places = vec![Vec::new(); tests.len()];
        for group in 0..nodes.len() {
            for (position, member) in nodes[group].members.clone().into_iter().enumerate() {
                match member {
                    Member::Test { test, .. } => places[test].push((group, position)),
                    Member::Group(inner) => nodes[inner].parents.push((group, position)),
                }
            }
            for dependency in nodes[group].dependencies.clone() {
                nodes[dependency].dependents.push(group);
            }
        }
        let holders = places.iter().map(|places| holders(&nodes, places)).collect();
        Ok(Self { nodes, places, holders, order })
    }
}

impl<'a> Node<'a> {
    fn empty(group: &'a Group) -> Self {
        Self {
            group,
            members: Vec::new(),
            parents: Vec::new(),
            dependencies: Vec::new(),
            dependents: Vec::new(),
        }
    }
}

/// Returns every group above these places, inner before outer.
fn holders(nodes: &[Node<'_>], places: &[(usize, usize)]) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    let mut level: Vec<usize> = places.iter().map(|(group, _)| *group).collect();
    while !level.is_empty() {
        // What is found again further out belongs there.
        found.retain(|group| !level.contains(group));
        found.extend_from_slice(&level);
        level = level.iter().flat_map(|group| &nodes[*group].parents).map(|(parent, _)| *parent).collect();
        level.sort_unstable();
        level.dedup();
    }
    found
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    /// Being visited: it, or what it depends on, is not done.
    Open,
    Done,
}

struct Walk<'a, 'b> {
    groups: &'a [Group],
    /// By test of the package: its place among those asked for.
    asked: &'b [Option<usize>],
    states: Vec<State>,
    names: HashMap<&'a str, usize>,
    nodes: Vec<Node<'a>>,
    order: Vec<usize>,
    is_ordered: Vec<bool>,
}

impl Walk<'_, '_> {
    fn visit(&mut self, place: usize) -> Result<(), Fault> {
        let broken = |problem: String| Err(Fault::Package(problem));
        let Some(group) = self.groups.get(place) else {
            return broken(format!("there is no group number {place}"));
        };
        match self.states[place] {
            State::Done => return Ok(()),
            State::Open => return broken(format!("group '{}' holds or depends on itself", group.name)),
            State::New => self.states[place] = State::Open,
        }
        for name in &group.dependencies {
            let Some(&dependency) = self.names.get(name.as_str()) else {
                return broken(format!("group '{}' depends on '{name}', which is no group", group.name));
            };
            self.visit(dependency)?;
            // Of a group without tests there is nothing to pass.
            if !self.nodes[dependency].members.is_empty() {
                self.nodes[place].dependencies.push(dependency);
            }
        }
        for member in &group.members {
            match *member {
                Member::Group(inner) => {
                    self.visit(inner)?;
                    if !self.nodes[inner].members.is_empty() {
                        self.nodes[place].members.push(Member::Group(inner));
                    }
                }
                Member::Test { test, points } => {
                    let Some(asked) = self.asked.get(test) else {
                        return broken(format!(
                            "group '{}' holds test number {test}, which is not there",
                            group.name
                        ));
                    };
                    if let Some(test) = *asked {
                        self.nodes[place].members.push(Member::Test { test, points });
                        if !std::mem::replace(&mut self.is_ordered[test], true) {
                            self.order.push(test);
                        }
                    }
                }
            }
        }
        self.states[place] = State::Done;
        Ok(())
    }
}
