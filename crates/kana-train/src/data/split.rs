//! Which images does nobody learn from?
//!
//! A split is stratified: every class gives the same share, so that a rare class is not missing where it is judged. It
//! follows from the seed and the labels alone, so that a card's claim can be checked later by whoever has the data.

use rand::seq::SliceRandom;

use super::random::{Purpose, stream};

/// Two parts of a data set: indices, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The part held out.
    pub held: Vec<usize>,
    /// The others.
    pub rest: Vec<usize>,
}

/// Which hold-out this is: each draws its own images under one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Images that judge the finished model once.
    Test,
    /// Images that choose the best epoch.
    Validation,
}

/// Holds out a `share` (0 to 1) of `candidates` (indices into `labels`) in each class, rounded, drawn under `seed`.
pub fn stratified(labels: &[u8], candidates: &[usize], share: f64, (seed, part): (u64, Part)) -> Split {
    let mut split = Split { held: Vec::new(), rest: Vec::new() };
    for class in 0..=u8::MAX {
        let mut members: Vec<usize> = candidates.iter().copied().filter(|&index| labels[index] == class).collect();
        members.shuffle(&mut stream(seed, Purpose::Split, [part as u64, class.into()]));
        let (held, rest) = members.split_at(held_count(members.len(), share));
        split.held.extend(held);
        split.rest.extend(rest);
    }
    split.held.sort_unstable();
    split.rest.sort_unstable();
    split
}

/// `share` of `count`, rounded; a class of several images is never held out whole nor not at all.
fn held_count(count: usize, share: f64) -> usize {
    let wanted = (count as f64 * share).round() as usize;
    if count < 2 || share <= 0.0 { 0 } else { wanted.clamp(1, count - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ninety of class 0, nine of class 3.
    fn lopsided() -> (Vec<u8>, Vec<usize>) {
        let labels: Vec<u8> = (0..99).map(|index| if index % 11 == 0 { 3 } else { 0 }).collect();
        let all = (0..labels.len()).collect();
        (labels, all)
    }

    #[test]
    fn every_class_gives_the_same_share() {
        let (labels, all) = lopsided();

        let split = stratified(&labels, &all, 1.0 / 3.0, (7, Part::Test));

        let held = |class| split.held.iter().filter(|&&index| labels[index] == class).count();
        assert_eq!((held(0), held(3)), (30, 3));
        let mut both = [split.held, split.rest].concat();
        both.sort_unstable();
        assert_eq!(both, all);
    }

    #[test]
    fn a_split_follows_from_its_seed_and_its_part() {
        let (labels, all) = lopsided();
        let draw = |seed, part| stratified(&labels, &all, 0.2, (seed, part));

        assert_eq!(draw(1, Part::Test), draw(1, Part::Test));
        assert_ne!(draw(1, Part::Test), draw(2, Part::Test));
        assert_ne!(draw(1, Part::Test).held, draw(1, Part::Validation).held);
    }
}
