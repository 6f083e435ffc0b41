//! Stores the variables of a running script, and counts their memory.

use std::hash::{BuildHasherDefault, DefaultHasher};

use super::syntax::Name;
use super::value::Value;

/// Bytes of a map's entry besides key and value.
const ENTRY: u64 = 112;

type Indices = Box<[Value]>;
/// A hasher without a random key, so that messages always name the same tuple.
type Hashing = BuildHasherDefault<DefaultHasher>;
type HashMap<K, V> = std::collections::HashMap<K, V, Hashing>;
type HashSet<K> = std::collections::HashSet<K, Hashing>;

/// All variables of one name: a plain one has no indices.
#[derive(Debug, Default)]
struct Array {
    values: HashMap<Indices, Value>,
    /// Number of occurrences of each value; counted at the first `INARRAY`.
    counts: Option<HashMap<Value, u64>>,
    memory: u64,
}

/// All variables.
#[derive(Debug)]
pub(super) struct Variables {
    arrays: HashMap<Name, Array>,
    memory: u64,
    most: u64,
}

/// The variables exceed their memory.
#[derive(Debug)]
pub(super) struct OutOfMemory;

/// Why tuples of variables are not unique.
#[derive(Debug)]
pub(super) enum Repeated {
    Undefined(Name),
    OtherIndices(Name, Name),
    Tuple(String),
    OutOfMemory,
    Stopped,
}

impl Variables {
    pub(super) fn new(most: u64) -> Self {
        Self { arrays: HashMap::default(), memory: 0, most }
    }

    pub(super) fn get(&self, name: &str, indices: &[Value]) -> Option<&Value> {
        self.arrays.get(name)?.values.get(indices)
    }

    pub(super) fn set(&mut self, name: &Name, indices: Vec<Value>, value: Value) -> Result<(), OutOfMemory> {
        let array = match self.arrays.get_mut(name) {
            Some(array) => array,
            None => self.arrays.entry(name.clone()).or_default(),
        };
        let size = |value: &Value| value.size() * 2;
        let added = size(&value);
        if let Some(counts) = &mut array.counts {
            *counts.entry(value.clone()).or_default() += 1;
        }
        let keys: u64 = indices.iter().map(Value::size).sum::<u64>() + ENTRY;
        let removed = match array.values.insert(indices.into(), value) {
            Some(old) => {
                let removed = size(&old);
                if let Some(counts) = &mut array.counts {
                    decrement(counts, &old);
                }
                removed
            }
            None => {
                array.memory += keys;
                self.memory += keys;
                0
            }
        };
        array.memory = array.memory + added - removed;
        self.memory = self.memory + added - removed;
        if self.memory > self.most { Err(OutOfMemory) } else { Ok(()) }
    }

    pub(super) fn unset(&mut self, name: &str) {
        if let Some(array) = self.arrays.remove(name) {
            self.memory -= array.memory;
        }
    }

    /// Returns whether a variable of this name has the value; `None` where there is no variable of this name. `charge` takes the
    /// steps of work that follow, and returns whether to stop.
    pub(super) fn contains(
        &mut self,
        name: &str,
        value: &Value,
        charge: &mut dyn FnMut(u64) -> bool,
    ) -> Option<Result<bool, Repeated>> {
        let array = self.arrays.get_mut(name)?;
        if array.counts.is_none() {
            let mut counts: HashMap<Value, u64> = HashMap::default();
            let needed = array.values.len() as u64 * ENTRY;
            if self.memory.saturating_add(needed) > self.most {
                return Some(Err(Repeated::OutOfMemory));
            }
            for value in array.values.values() {
                if charge(1 + value.pass_work()) {
                    return Some(Err(Repeated::Stopped));
                }
                *counts.entry(value.clone()).or_default() += 1;
            }
            array.memory += needed;
            self.memory += needed;
            array.counts = Some(counts);
        }
        Some(Ok(array.counts.as_ref().is_some_and(|counts| counts.contains_key(value))))
    }

    /// Checks that no two tuples of values at the same indices are equal. `charge` takes the steps of work that follow, and
    /// returns whether to stop.
    pub(super) fn unique(&self, names: &[Name], charge: &mut dyn FnMut(u64) -> bool) -> Result<(), Repeated> {
        let mut arrays = Vec::with_capacity(names.len());
        for name in names {
            arrays.push(self.arrays.get(name).ok_or_else(|| Repeated::Undefined(name.clone()))?);
        }
        let [first, others @ ..] = arrays.as_slice() else { return Ok(()) };
        let different = |place: usize| {
            Repeated::OtherIndices(names[0].clone(), names.get(place + 1).unwrap_or(&names[0]).clone())
        };
        for (place, other) in others.iter().enumerate() {
            if other.values.len() != first.values.len() {
                return Err(different(place));
            }
        }
        let size = 64 + 16 * names.len() as u64;
        if self.memory.saturating_add(first.values.len() as u64 * size) > self.most {
            return Err(Repeated::OutOfMemory);
        }
        let mut seen = HashSet::with_capacity_and_hasher(first.values.len(), Hashing::default());
        for (indices, value) in &first.values {
            let mut tuple = Vec::with_capacity(names.len());
            tuple.push(value);
            for (place, other) in others.iter().enumerate() {
                tuple.push(other.values.get(indices).ok_or_else(|| different(place))?);
            }
            if charge(1 + tuple.iter().map(|value| value.pass_work()).sum::<u64>()) {
                return Err(Repeated::Stopped);
            }
            if let Some(tuple) = seen.replace(tuple) {
                let tuple: Vec<String> = tuple.iter().map(ToString::to_string).collect();
                return Err(Repeated::Tuple(tuple.join(", ")));
            }
        }
        Ok(())
    }
}

fn decrement(counts: &mut HashMap<Value, u64>, value: &Value) {
    if let Some(count) = counts.get_mut(value) {
        *count -= 1;
        if *count == 0 {
            counts.remove(value);
        }
    }
}
