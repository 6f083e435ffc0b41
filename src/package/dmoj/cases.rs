//! Reads test cases and batches, as tests and groups.
//!
//! The root adds the points of what stands in it. A batch is worth its points or, with partial scores, the smallest part
//! that any of its cases got. Cases of no points that stand alone are each a group, so that what follows can depend on
//! them; what follows one stands in groups as well.

use super::data::ProblemData;
use super::keys::KEYS;
use super::{case_names, checker, generator, grader, links, suite};
use crate::package::model::{
    Aggregation, Check, GeneratedAnswer, GeneratedData, GeneratedInput, GeneratedTest, Group, Interaction,
    Member, OnReject, Package, Test,
};
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::error::PackageError;
use crate::package::source::scope::Scope;
use crate::package::source::tree::Tree;
use crate::package::source::yaml::{Node, Value};

/// Points beyond which something else than points is meant.
const MOST_POINTS: f64 = 1e9;
/// Batches and cases of no points; each decides about all that follows.
const MOST_GATES: usize = 1000;

/// Fills tests, groups and checkers.
pub(super) fn read(
    scope: &Scope<'_>,
    tree: &Tree,
    data: &mut ProblemData<'_>,
    package: &mut Package,
    diagnostics: &mut Diagnostics,
) -> Result<(), PackageError> {
    let mut reader = Reader {
        tree,
        data,
        diagnostics,
        package,
        checkers: checker::Checkers,
        gate: None,
        gates: 0,
        loose: None,
        batches: Vec::new(),
        prefix: "",
    };
    for (key, is_pretest) in [("pretest_test_cases", true), ("test_cases", false)] {
        // Dependencies count the batches of the test cases, whatever pretests come before them.
        reader.batches.clear();
        reader.prefix = if is_pretest { "pretest-" } else { "" };
        match scope.own_get(key) {
            Some(node) if matches!(node.value, Value::List(_)) => {
                reader.list(scope, node, key, is_pretest)?;
            }
            None if is_pretest => {}
            node => {
                if let Some(Value::Map(map)) = node.map(|node| &node.value) {
                    reader.diagnostics.unknown_keys(super::keys::FILE, key, map, case_names::KEYS);
                }
                let cases = case_names::read(scope, key, node, reader.data)?;
                reader.matched(scope, key, &cases, is_pretest)?;
            }
        }
    }
    if reader.package.tests.is_empty() && !reader.diagnostics.is_broken() {
        return Err(scope.wrong("test_cases", "there are no test cases", "name at least one"));
    }
    Ok(())
}

struct Reader<'a, 'b> {
    tree: &'a Tree,
    data: &'a mut ProblemData<'b>,
    diagnostics: &'a mut Diagnostics,
    package: &'a mut Package,
    checkers: checker::Checkers,
    /// The last group of no points: everything after it depends on it, as it does on the one before.
    gate: Option<String>,
    /// How many of them there are.
    gates: usize,
    /// The group that cases without a batch go into; the root until there is a gate.
    loose: Option<usize>,
    /// Names of the batches, by their number less one.
    batches: Vec<String>,
    /// Tells the names of pretests' batches from the others.
    prefix: &'static str,
}

impl Reader<'_, '_> {
    fn list(
        &mut self,
        scope: &Scope<'_>,
        node: &Node,
        key: &str,
        is_pretest: bool,
    ) -> Result<(), PackageError> {
        let Value::List(items) = &node.value else { return Ok(()) };
        for (place, item) in items.iter().enumerate() {
            let place = format!("{key}[{place}]");
            let Some(case) = self.diagnostics.keep(scope.inside(item, &place)) else { continue };
            self.diagnostics.unknown_keys(super::keys::FILE, &place, case.own(), KEYS);
            if let Some(batch) = case.own_get("batched") {
                self.batch(&case, batch, is_pretest)?;
            } else {
                self.alone(&case, is_pretest)?;
            }
        }
        Ok(())
    }

    /// Cases that were found by their files' names.
    fn matched(
        &mut self,
        scope: &Scope<'_>,
        key: &str,
        cases: &[case_names::Matched],
        is_pretest: bool,
    ) -> Result<(), PackageError> {
        for case in cases {
            let points = if is_pretest { 0.0 } else { case.points };
            if case.is_batch {
                let group = self.open_batch(points, Vec::new());
                for (input, output) in &case.files {
                    let test = self.test(scope, key, input.as_deref(), output.as_deref(), group)?;
                    self.add(test, group, None);
                }
                self.close(scope, group, points)?;
            } else if let Some((input, output)) = case.files.first() {
                let group = self.place_alone(points);
                let test = self.test(scope, key, input.as_deref(), output.as_deref(), group)?;
                self.add(test, group, Some(points));
                self.close_alone(scope, group, points)?;
            }
        }
        Ok(())
    }

    fn points(&mut self, scope: &Scope<'_>, is_pretest: bool) -> f64 {
        let points = scope.number("points", 0.0..=MOST_POINTS);
        let points = self.diagnostics.keep(points).flatten().unwrap_or(1.0);
        if is_pretest { 0.0 } else { points }
    }

    fn batch(&mut self, scope: &Scope<'_>, node: &Node, is_pretest: bool) -> Result<(), PackageError> {
        let points = self.points(scope, is_pretest);
        let Value::List(items) = &node.value else {
            let error = scope.wrong_at(node, "batched", "it is no list", "give a list of cases");
            self.diagnostics.error(error);
            return Ok(());
        };
        if items.is_empty() {
            self.diagnostics.error(scope.wrong_at(
                node,
                "batched",
                "there are no cases in it",
                "name at least one",
            ));
            return Ok(());
        }
        let dependencies = self.dependencies(scope);
        let group = self.open_batch(points, dependencies);
        for (place, item) in items.iter().enumerate() {
            let place = format!("batched[{place}]");
            let Some(case) = self.diagnostics.keep(scope.inside(item, &place)) else { continue };
            self.diagnostics.unknown_keys(super::keys::FILE, &scope.key(&place), case.own(), KEYS);
            if case.own_get("batched").is_some() {
                let error =
                    case.wrong("batched", "a batch within a batch", "put its cases into the outer one");
                self.diagnostics.error(error);
                continue;
            }
            self.case(&case, group, None)?;
        }
        self.close(scope, group, points)
    }

    /// A case that stands in no batch.
    fn alone(&mut self, scope: &Scope<'_>, is_pretest: bool) -> Result<(), PackageError> {
        let points = self.points(scope, is_pretest);
        let group = self.place_alone(points);
        self.case(scope, group, Some(points))?;
        self.close_alone(scope, group, points)
    }

    fn case(&mut self, scope: &Scope<'_>, group: usize, points: Option<f64>) -> Result<(), PackageError> {
        for key in ["time_limit", "memory_limit"] {
            if let Some(node) = scope.get(key)
                && scope.is_below_root(key)
            {
                let supported = "supported today: the same limits for all cases, at the top level";
                self.diagnostics.error(scope.unsupported(node, key, "a limit of a single case", supported));
            }
        }
        let names = scope.text("in").and_then(|input| Ok((input, scope.text("out")?)));
        let Some((input, output)) = self.diagnostics.keep(names) else { return Ok(()) };
        for key in ["generator_args", "generator_in"] {
            if let (Some(node), Some(_), true) =
                (scope.get(key), input.as_ref(), scope.get("generator").is_some())
            {
                let remedy = "remove 'in', and the generator makes the input, or remove this key";
                self.diagnostics.error(scope.wrong_at(
                    node,
                    key,
                    "the case has an input file ('in')",
                    remedy,
                ));
            }
        }
        if scope.get("generator").is_some() && (input.is_none() || output.is_none()) {
            return self.generated(scope, input.as_deref(), output.as_deref(), group, points);
        }
        let test = self.test(scope, "", input.as_deref(), output.as_deref(), group)?;
        self.add(test, group, points);
        Ok(())
    }

    /// A case whose input, and answer unless it names one, a program makes.
    fn generated(
        &mut self,
        scope: &Scope<'_>,
        input: Option<&str>,
        output: Option<&str>,
        group: usize,
        points: Option<f64>,
    ) -> Result<(), PackageError> {
        let read = generator::read(scope, self.tree, self.diagnostics);
        let Some((program, arguments, limits)) = self.diagnostics.keep(read) else { return Ok(()) };
        let Some(test) = self.test(scope, "", None, output, group)? else { return Ok(()) };
        let stdin =
            match self.diagnostics.keep(scope.text("generator_in")).flatten().or(input.map(str::to_owned)) {
                None => None,
                Some(name) => {
                    let found = self.data.find(scope, "generator_in", &name);
                    let Some(path) = self.diagnostics.keep(found) else { return Ok(()) };
                    Some(self.data.content(path, scope.flag("binary_data"))?)
                }
            };
        let made = self.package.generated.get_or_insert_with(|| GeneratedData {
            generator_limits: limits,
            solution_limits: limits,
            ..GeneratedData::default()
        });
        // One limit for all of them: the largest.
        made.generator_limits.time = made.generator_limits.time.max(limits.time);
        made.generator_limits.memory = made.generator_limits.memory.max(limits.memory);
        let generator = made.generators.iter().position(|known| *known == program).unwrap_or_else(|| {
            made.generators.push(program);
            made.generators.len() - 1
        });
        made.tests.push(GeneratedTest {
            test: self.package.tests.len(),
            input: Some(GeneratedInput { generator, arguments, stdin, ..GeneratedInput::default() }),
            answer: output.is_none().then_some(GeneratedAnswer::GeneratorErrors),
            ..GeneratedTest::default()
        });
        self.add(Some(test), group, points);
        Ok(())
    }

    fn test(
        &mut self,
        scope: &Scope<'_>,
        key: &str,
        input: Option<&str>,
        output: Option<&str>,
        group: usize,
    ) -> Result<Option<Test>, PackageError> {
        let binary = scope.flag("binary_data");
        let mut files = [("in", input), ("out", output)].into_iter().map(|(own, name)| {
            let key = if key.is_empty() { own } else { key };
            match name {
                None => Ok(self.data.text(String::new())),
                Some(name) => {
                    let path = self.data.find(scope, key, name)?;
                    self.data.content(path, binary)
                }
            }
        });
        let (input, answer) = (files.next().transpose(), files.next().transpose());
        drop(files);
        let (input, answer) =
            (self.diagnostics.keep(input).flatten(), self.diagnostics.keep(answer).flatten());
        let (Some(input), Some(answer)) = (input, answer) else { return Ok(None) };
        let name = self.package.groups.get(group).map_or("", |group| &group.name);
        let batch = self.batches.iter().position(|batch| batch == name).map_or(0, |place| place + 1);
        let check = match self.package.interaction {
            Interaction::None => {
                let check =
                    self.checkers.read(scope, self.tree, self.data, self.package, batch, self.diagnostics);
                let Some(check) = self.diagnostics.keep(check) else { return Ok(None) };
                check
            }
            _ => match self.diagnostics.keep(grader::context(scope, self.package, batch)) {
                Some(arguments) => Check::Interaction { arguments },
                None => return Ok(None),
            },
        };
        let groups = if group == 0 {
            Vec::new()
        } else {
            self.package.groups.get(group).map(|group| group.name.clone()).into_iter().collect()
        };
        let Some(links) = self.diagnostics.keep(links::read(scope)) else { return Ok(None) };
        let name = suite::test_name(self.package.tests.len());
        Ok(Some(Test { groups, check, links, ..Test::new(name, input, answer) }))
    }

    fn add(&mut self, test: Option<Test>, group: usize, points: Option<f64>) {
        let Some(test) = test else { return };
        let place = self.package.tests.len();
        self.package.tests.push(test);
        if let Some(group) = self.package.groups.get_mut(group) {
            group.members.push(Member::Test { test: place, points });
        }
    }

    fn open_batch(&mut self, points: f64, mut dependencies: Vec<String>) -> usize {
        let name = format!("{}batch{}", self.prefix, self.batches.len() + 1);
        self.batches.push(name.clone());
        dependencies.extend(self.gate.iter().cloned());
        dependencies.dedup();
        self.loose = None;
        self.open(Group {
            aggregation: Aggregation::Min,
            weight: points,
            on_reject: OnReject::Break,
            dependencies,
            ..Group::new(name)
        })
    }

    fn open(&mut self, group: Group) -> usize {
        let place = self.package.groups.len();
        self.package.groups.push(group);
        if let Some(root) = self.package.groups.first_mut() {
            root.on_reject = OnReject::Continue;
            root.members.push(Member::Group(place));
        }
        place
    }

    /// A batch is complete.
    fn close(&mut self, scope: &Scope<'_>, group: usize, points: f64) -> Result<(), PackageError> {
        if points == 0.0
            && let Some(group) = self.package.groups.get(group)
        {
            self.gate = Some(group.name.clone());
            self.gates += 1;
        }
        if self.gates > MOST_GATES {
            let problem = format!("there are more than {MOST_GATES} cases and batches of no points");
            return Err(scope.wrong("points", problem, "put the cases of no points into batches"));
        }
        Ok(())
    }

    /// Where a case without a batch goes.
    fn place_alone(&mut self, points: f64) -> usize {
        let open = |name: String, gate: &Option<String>| Group {
            on_reject: OnReject::Continue,
            dependencies: gate.iter().cloned().collect(),
            ..Group::new(name)
        };
        if points == 0.0 {
            let group = open(format!("pretest{}", self.gates + 1), &self.gate);
            self.loose = None;
            return self.open(group);
        }
        if self.gate.is_none() {
            if let Some(root) = self.package.groups.first_mut() {
                root.on_reject = OnReject::Continue;
            }
            return 0;
        }
        if let Some(group) = self.loose {
            return group;
        }
        let group = open(format!("cases{}", self.package.groups.len()), &self.gate);
        let place = self.open(group);
        self.loose = Some(place);
        place
    }

    fn close_alone(&mut self, scope: &Scope<'_>, group: usize, points: f64) -> Result<(), PackageError> {
        if group == 0 { Ok(()) } else { self.close(scope, group, points) }
    }

    /// Numbers of earlier batches, as names of their groups.
    fn dependencies(&mut self, scope: &Scope<'_>) -> Vec<String> {
        let Some(node) = scope.get("dependencies") else { return Vec::new() };
        let Some(texts) = self.diagnostics.keep(scope.texts(node, "dependencies")) else { return Vec::new() };
        let mut names = Vec::new();
        for text in texts {
            let number = text.parse::<usize>().ok().filter(|number| *number > 0);
            match number.and_then(|number| self.batches.get(number - 1)) {
                Some(name) => names.push(name.clone()),
                None => {
                    let problem = format!("'{text}' is not the number of an earlier batch");
                    let remedy = format!("give numbers from 1 to {}", self.batches.len());
                    self.diagnostics.error(scope.wrong_at(node, "dependencies", problem, remedy));
                }
            }
        }
        names
    }
}
