//! Reads `symlinks`: links in the directory in which a submission runs (`BaseExecutor.launch`).

use crate::package::model::WorkLink;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::scope::Scope;

/// Links beyond which something else is meant.
const MOST: usize = 100;
/// The longest path of the kernel's (`PATH_MAX`).
const LONGEST: usize = 4095;

/// The links of the case that `scope` is.
pub(super) fn read(scope: &Scope<'_>) -> Result<Vec<WorkLink>, PackageError> {
    const KEY: &str = "symlinks";
    let Some(node) = scope.get(KEY) else { return Ok(Vec::new()) };
    let inner = scope.bare().inside(node, KEY)?;
    let mut links = Vec::new();
    for (name, node) in inner.own() {
        let key = one_line(name);
        let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
        if name.len() > LONGEST || name.contains('\0') || !name.split('/').all(plain) {
            let problem = format!("'{key}' is not a path below the submission's directory");
            return Err(scope.wrong_at(node, KEY, problem, "name the link by a path without '..'"));
        }
        let target = inner.own_text(name)?.unwrap_or_default();
        if target.is_empty() || target.len() > LONGEST || target.contains('\0') {
            let problem = format!("the link '{key}' leads nowhere");
            return Err(scope.wrong_at(node, KEY, problem, "give a path, such as /dev/stdin"));
        }
        links.push(WorkLink { name: name.clone(), target });
    }
    if links.len() > MOST {
        return Err(scope.wrong(KEY, format!("there are more than {MOST}"), "make fewer links"));
    }
    Ok(links)
}
