//! Which range holds: the one that the chart's values ask for, or the one that a person set last?
//!
//! A ConfigMap of the chart says what the values ask for and by which revision of the release. Beside it, under a key
//! that the chart never renders, gateways keep what a person set, over which values, and what they last put into
//! effect. This file only decides. Its rules:
//!
//! - A number that changed where Helm wrote nothing was set by a person, on the page or with `kubectl`: it is kept.
//! - Helm writes numbers of its own at each upgrade and rollback. Then what a person set is put back, for as long as the
//!   values ask for the range that it was set over.
//! - Values that ask for another range win. A rollback to those before them brings back what a person had set over
//!   them; an upgrade to the same numbers does not. Helm's revisions, which only a rollback lowers, tell the two apart.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// The key of the ConfigMap under which gateways keep a [`Record`].
pub const RECORD_KEY: &str = "record";

/// A range as the ConfigMap writes it: `2-6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Range {
    /// Lower bound.
    pub min: u32,
    /// Upper bound.
    pub max: u32,
}

/// A range with the kind of scaler that it is for, as the ConfigMap writes it: `hpa 2-6`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Asked {
    /// The kind of scaler: `none`, `hpa` or `keda`, as `autoscaling.mode` has it.
    pub by: String,
    /// The range.
    pub range: Range,
}

/// The part of the ConfigMap that the chart renders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The range that the values ask for.
    pub asked: Asked,
    /// The revision of the release that it was rendered for. A rollback brings an earlier one back.
    pub revision: u64,
    /// The range that a chart without a record found on its upgrade to this one, where a person had set it.
    pub found: Option<Range>,
}

/// The part of the ConfigMap that gateways keep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The range that a person set last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<Range>,
    /// The values that it was set over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Asked>,
    /// The first revision since then whose values asked for something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// The values that were last put into effect, and the revision of the object that they were written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_effect: Option<InEffect>,
}

/// Values that were put into effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InEffect {
    /// The values.
    pub asked: Asked,
    /// The revision of the release that the object with the range was rendered for; `None` where it names none.
    pub revision: Option<u64>,
}

/// The range that the cluster has right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// The range.
    pub range: Range,
    /// The revision of the release that the object with the range was rendered for; `None` where it names none.
    pub revision: Option<u64>,
    /// Who is known to have set the range, whatever else happened since.
    pub setter: Setter,
}

/// Who set a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setter {
    /// A person, on the page or with `kubectl`.
    Person,
    /// Helm.
    Helm,
    /// Either: the revisions have to tell.
    Unknown,
}

/// What a gateway has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The record to keep.
    pub record: Record,
    /// The range to write to the object that holds it; `None` where it has the right one.
    pub write: Option<Range>,
    /// Whether the values are new, so that workers that were at 0 have to be woken.
    pub is_new: bool,
}

/// Text of the ConfigMap that is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not of the form {1}")]
pub struct FormError(String, &'static str);

impl Record {
    /// Decides what has to be done, by what the chart renders for the scaler of kind `by` and what the cluster has.
    pub fn decide(&self, rendered: &Rendered, live: &Live, by: &str) -> Decision {
        let mut record = self.clone();
        if rendered.asked.by != by {
            // An upgrade to another kind of scaler is on its way, whose gateways act. What they left is nobody's wish.
            record.supersede(rendered);
            record.in_effect = record.in_effect.filter(|before| before.asked.by != by);
            return Decision { record, write: None, is_new: false };
        }
        if let (Some(found), Record { set: None, over: None, in_effect: None, .. }) = (rendered.found, self) {
            (record.set, record.over) = (Some(found), Some(rendered.asked.clone()));
        }
        record.supersede(rendered);
        let is_over = record.over.as_ref() == Some(&rendered.asked);
        let wanted = record.set.filter(|_| is_over).unwrap_or(rendered.asked.range);
        let before = self.in_effect.as_ref();
        let is_new = before.is_none_or(|before| before.asked != rendered.asked);
        let is_unwritten = before.is_some_and(|before| before.revision == live.revision);
        let is_persons = !is_new
            && match live.setter {
                Setter::Person => true,
                Setter::Helm => false,
                Setter::Unknown => is_unwritten,
            };
        record.in_effect = Some(InEffect { asked: rendered.asked.clone(), revision: live.revision });
        if live.range == wanted {
            return Decision { record, write: None, is_new };
        }
        if is_persons {
            record.set_by_person(live.range, &rendered.asked);
            return Decision { record, write: None, is_new };
        }
        Decision { record, write: Some(wanted), is_new }
    }

    /// Returns the record after a person has set the range that the cluster has, through the gateway of the scaler of
    /// kind `by`.
    pub fn accept(&self, rendered: &Rendered, live: &Live, by: &str) -> Self {
        let mut record = self.clone();
        if rendered.asked.by == by {
            record.set_by_person(live.range, &rendered.asked);
            record.in_effect = Some(InEffect { asked: rendered.asked.clone(), revision: live.revision });
        }
        record
    }

    /// Records what a person set over these values.
    fn set_by_person(&mut self, range: Range, over: &Asked) {
        (self.set, self.over, self.until) = (Some(range), Some(over.clone()), None);
    }

    /// Records that the values ask for something else than what a person's range was set over, or do so no more.
    fn supersede(&mut self, rendered: &Rendered) {
        let Some(over) = &self.over else { return };
        if *over != rendered.asked {
            self.until.get_or_insert(rendered.revision);
        } else if let Some(until) = self.until.take()
            && rendered.revision > until
        {
            // An upgrade has asked for these numbers anew.
            (self.set, self.over) = (None, None);
        }
    }
}

impl Rendered {
    /// Reads the part of a ConfigMap that the chart renders.
    ///
    /// # Errors
    /// Where it is not as this version's chart renders it.
    pub fn read(data: &BTreeMap<String, String>) -> Result<Self, FormError> {
        let text = |key: &str| data.get(key).cloned().unwrap_or_default();
        let revision = text("revision");
        Ok(Self {
            asked: text("values").try_into()?,
            revision: revision.parse().map_err(|_not_a_number| FormError(revision, "7"))?,
            found: data.get("found").cloned().map(Range::try_from).transpose()?,
        })
    }
}

impl From<&RangeInclusive<u32>> for Range {
    fn from(range: &RangeInclusive<u32>) -> Self {
        Self { min: *range.start(), max: *range.end() }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.min, self.max)
    }
}

impl From<Range> for String {
    fn from(range: Range) -> Self {
        range.to_string()
    }
}

impl TryFrom<String> for Range {
    type Error = FormError;

    fn try_from(text: String) -> Result<Self, FormError> {
        let bounds = text.split_once('-').and_then(|(min, max)| Some((min.parse().ok()?, max.parse().ok()?)));
        bounds.map(|(min, max)| Self { min, max }).ok_or(FormError(text, "2-6"))
    }
}

impl From<Asked> for String {
    fn from(asked: Asked) -> Self {
        format!("{} {}", asked.by, asked.range)
    }
}

impl TryFrom<String> for Asked {
    type Error = FormError;

    fn try_from(text: String) -> Result<Self, FormError> {
        let parts = text.split_once(' ').map(|(by, range)| (by.to_owned(), Range::try_from(range.to_owned())));
        match parts {
            Some((by, Ok(range))) => Ok(Self { by, range }),
            _ => Err(FormError(text, "\"hpa 2-6\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ConfigMap, an object with the range, and a gateway that does as decided.
    struct World {
        by: &'static str,
        rendered: Rendered,
        record: Record,
        live: Live,
    }

    fn range(text: &str) -> Range {
        Range::try_from(text.to_owned()).unwrap()
    }

    fn rendered(asked: &str, revision: u64) -> Rendered {
        Rendered { asked: asked.to_owned().try_into().unwrap(), revision, found: None }
    }

    impl World {
        /// Installs the first revision, and lets the gateway see it.
        fn install(asked: &str) -> Self {
            let rendered = rendered(asked, 1);
            let by = ["none", "hpa", "keda"].into_iter().find(|by| *by == rendered.asked.by).unwrap();
            let mut world = Self { by, live: written(&rendered), rendered, record: Record::default() };
            world.settle();
            world
        }

        fn settle(&mut self) {
            if self.by == "none" {
                self.live.revision = Some(self.rendered.revision);
            }
            let Decision { record, write, .. } = self.record.decide(&self.rendered, &self.live, self.by);
            self.record = record;
            self.live.range = write.unwrap_or(self.live.range);
            let again = self.record.decide(&self.rendered, &self.live, self.by);
            assert_eq!((again.record, again.write), (self.record.clone(), None), "a second look changes nothing");
        }

        /// Lets Helm write a revision: first the ConfigMap, then the object with the range.
        fn helm(&mut self, asked: &str, revision: u64) {
            self.rendered = rendered(asked, revision);
            self.settle();
            if self.rendered.asked.by == self.by && self.by != "none" {
                self.live = written(&self.rendered);
            }
            self.settle();
        }

        fn person(&mut self, set: &str) {
            self.live.range = range(set);
            self.settle();
        }

        fn live(&self) -> String {
            self.live.range.to_string()
        }
    }

    fn written(rendered: &Rendered) -> Live {
        Live { range: rendered.asked.range, revision: Some(rendered.revision), setter: Setter::Unknown }
    }

    #[test]
    fn what_a_person_set_is_put_back_after_an_upgrade_and_after_a_rollback() {
        for asked in ["hpa 1-4", "keda 0-4"] {
            let mut world = World::install(asked);
            world.person("2-6");

            world.helm(asked, 2);
            assert_eq!(world.live(), "2-6");
            world.person("3-7");
            world.helm(asked, 1);

            assert_eq!(world.live(), "3-7", "{asked}");
        }
    }

    #[test]
    fn values_that_ask_for_another_range_win() {
        let mut world = World::install("hpa 1-4");
        world.person("2-6");

        world.helm("hpa 1-8", 2);

        assert_eq!(world.live(), "1-8");
    }

    #[test]
    fn a_rollback_over_new_values_brings_back_what_a_person_had_set_and_an_upgrade_does_not() {
        let mut world = World::install("hpa 1-4");
        world.person("2-6");
        world.helm("hpa 1-8", 2);

        world.helm("hpa 1-4", 1);
        assert_eq!(world.live(), "2-6", "the rollback");
        world.helm("hpa 1-4", 4);
        assert_eq!(world.live(), "2-6", "an upgrade after it that changes nothing");

        world.helm("hpa 1-8", 5);
        world.helm("hpa 1-4", 6);
        assert_eq!(world.live(), "1-4", "an upgrade that asks for these numbers anew");
    }

    #[test]
    fn what_a_person_set_over_the_new_values_does_not_survive_a_rollback_to_the_old_ones() {
        let mut world = World::install("hpa 1-4");
        world.helm("hpa 1-8", 2);
        world.person("5-8");

        world.helm("hpa 1-4", 1);

        assert_eq!(world.live(), "1-4");
    }

    #[test]
    fn helm_may_write_the_same_revision_twice_where_an_upgrade_fails_at_once() {
        let mut world = World::install("hpa 1-4");
        world.person("2-6");

        world.live = Live { setter: Setter::Helm, ..written(&world.rendered) };
        world.settle();

        assert_eq!(world.live(), "2-6");
    }

    #[test]
    fn a_tool_that_renders_without_revisions_sets_the_range_as_a_person_does() {
        let mut world = World::install("hpa 1-4");
        world.person("2-6");

        world.live.range = range("1-4");
        world.settle();

        assert_eq!(world.live(), "1-4", "no gateway fights with Argo CD");
    }

    #[test]
    fn a_number_without_a_scaler_is_set_once_and_then_a_persons() {
        let mut world = World::install("none 3-3");
        world.live = Live { range: range("1-1"), revision: Some(1), setter: Setter::Unknown };
        world.record = Record::default();

        world.settle();
        assert_eq!(world.live(), "3-3", "what Kubernetes assumes for a new Deployment is nobody's wish");
        world.person("5-5");
        world.live.setter = Setter::Person;
        world.helm("none 3-3", 2);

        assert_eq!(world.live(), "5-5", "Helm renders no number");
    }

    #[test]
    fn a_number_that_was_set_while_no_gateway_looked_is_a_persons_and_one_that_helm_left_is_not() {
        let mut world = World::install("none 3-3");
        let later = rendered("none 3-3", 2);
        let live = |setter| Live { range: range("1-1"), revision: Some(2), setter };

        assert_eq!(world.record.decide(&later, &live(Setter::Unknown), "none").write, Some(range("3-3")));
        assert_eq!(world.record.decide(&later, &live(Setter::Person), "none").write, None);

        world.rendered = later;
        world.live = live(Setter::Person);
        world.settle();
        assert_eq!(world.record.set, Some(range("1-1")));
    }

    #[test]
    fn a_range_of_another_kind_of_scaler_is_left_to_its_own_gateways_and_put_back_after_a_rollback() {
        let mut world = World::install("none 3-3");
        world.person("5-5");
        world.live.setter = Setter::Person;

        world.helm("hpa 1-4", 2);
        world.live.range = range("2-2");
        world.settle();
        assert_eq!(world.live(), "2-2", "an HPA set that");
        world.helm("none 3-3", 1);

        assert_eq!(world.live(), "5-5");
    }

    #[test]
    fn a_range_that_the_chart_found_on_an_upgrade_from_one_without_a_record_is_a_persons() {
        let mut world = World::install("hpa 1-4");
        world.record = Record::default();
        world.rendered.found = Some(range("2-6"));

        world.settle();

        assert_eq!(world.live(), "2-6");
        world.person("1-1");
        assert_eq!(world.live(), "1-1", "and later ones count");
    }

    #[test]
    fn new_values_wake_workers_and_the_same_values_again_do_not() {
        let world = World::install("hpa 1-4");
        let decide = |asked, revision| world.record.decide(&rendered(asked, revision), &world.live, "hpa");

        assert!(Record::default().decide(&rendered("hpa 1-4", 1), &world.live, "hpa").is_new);
        assert!(!decide("hpa 1-4", 2).is_new);
        assert!(decide("hpa 2-4", 2).is_new);
    }

    #[test]
    fn the_record_is_short_and_readable() {
        let mut world = World::install("hpa 1-4");
        world.person("2-6");

        let text = serde_json::to_string(&world.record).unwrap();

        let expected = r#"{"set":"2-6","over":"hpa 1-4","in_effect":{"asked":"hpa 1-4","revision":1}}"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), world.record);
    }

    #[test]
    fn a_config_map_that_no_chart_rendered_is_named() {
        let read = |pairs: &[(&str, &str)]| {
            let data = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            Rendered::read(&data).unwrap_err().to_string()
        };

        assert_eq!(read(&[("revision", "1")]), "\"\" is not of the form \"hpa 2-6\"");
        assert_eq!(read(&[("values", "hpa x-6"), ("revision", "1")]), "\"hpa x-6\" is not of the form \"hpa 2-6\"");
        assert_eq!(read(&[("values", "hpa 1-6"), ("revision", "x")]), "\"x\" is not of the form 7");
    }
}
