//! Members both documents use: maps in which a key may stand only once, and property expressions.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::Seconds;
use crate::predicate::{self, Predicate};

/// A JSON object as a map. A key that stands twice is an error, not the last one's victory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Members<T>(pub BTreeMap<Arc<str>, T>);

impl<T> Default for Members<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Deref for Members<T> {
    type Target = BTreeMap<Arc<str>, T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> FromIterator<(Arc<str>, T)> for Members<T> {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, T)>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

struct MembersVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for MembersVisitor<T> {
    type Value = Members<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((key, value)) = access.next_entry::<Arc<str>, T>()? {
            if members.contains_key(&key) {
                return Err(A::Error::custom(format_args!("`{key}` stands twice")));
            }
            members.insert(key, value);
        }
        Ok(Members(members))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Members<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor(PhantomData))
    }
}

/// A property expression in its JSON form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition(pub Arc<Predicate>);

impl Default for Condition {
    fn default() -> Self {
        Self(Arc::new(Predicate::All(Vec::new())))
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expression = serde_json::Value::deserialize(deserializer)?;
        predicate::parse(&expression)
            .map(|predicate| Self(Arc::new(predicate)))
            .map_err(D::Error::custom)
    }
}

/// One interval of a list. Read as a list of any length: JSON's reader would call a third number a fault of syntax.
struct StartAndEnd([Seconds; 2]);

impl<'de> Deserialize<'de> for StartAndEnd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let numbers = Vec::<Seconds>::deserialize(deserializer)?;
        let count = numbers.len();
        let numbers = numbers.try_into().map_err(|_| {
            D::Error::custom(format_args!(
                "expected two numbers, start and end in seconds, found {count}"
            ))
        })?;
        Ok(Self(numbers))
    }
}

/// Reads a list of intervals, each a list of two numbers.
pub(super) fn start_and_end<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<[Seconds; 2]>, D::Error> {
    let intervals = Vec::<StartAndEnd>::deserialize(deserializer)?;
    Ok(intervals.into_iter().map(|StartAndEnd(numbers)| numbers).collect())
}
