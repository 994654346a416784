//! Which images are held out from training?
//!
//! The partition is stratified: every class gives the same share, so that a rare class is present on both sides. It
//! depends only on the seed and the labels, so that anyone with the data can reproduce the claim of a model's card.

use rand::seq::SliceRandom;

use super::Label;
use super::random::{Purpose, stream};

/// Two disjoint parts of a data set, as ascending indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Indices of the images that are held out.
    pub held_out: Vec<usize>,
    /// Indices of all other images.
    pub rest: Vec<usize>,
}

/// Purpose of the held-out images: under one seed, each purpose draws its own images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Images that measure the finished model once.
    Test,
    /// Images that select the best epoch.
    Validation,
}

/// Partitions the images with these `labels`: a `share` (0 to 1) of each class, rounded and drawn under `seed`, is held
/// out.
pub fn stratify(labels: &[Label], share: f64, seed: u64, part: Part) -> Partition {
    let mut partition = Partition { held_out: Vec::new(), rest: Vec::new() };
    for (class, mut members) in (0..).zip(by_class(labels)) {
        members.shuffle(&mut stream(seed, Purpose::Split, [part as u64, class]));
        let (held_out, rest) = members.split_at(held_out_count(members.len(), share));
        partition.held_out.extend(held_out);
        partition.rest.extend(rest);
    }
    partition.held_out.sort_unstable();
    partition.rest.sort_unstable();
    partition
}

/// Divides the images with these `labels` into `count` folds, drawn under `seed`: every fold has the same number of each
/// class and of all images, or one less. Returns the fold of each image, from 0.
pub fn folds(labels: &[Label], count: usize, seed: u64) -> Vec<usize> {
    let mut fold_of = vec![0; labels.len()];
    // The next class goes on where the last one ended, so that the first folds are not the larger ones of each class.
    let mut next = 0;
    for (class, mut members) in (0..).zip(by_class(labels)) {
        members.shuffle(&mut stream(seed, Purpose::Folds, [class, 0]));
        for member in members {
            fold_of[member] = next;
            next = (next + 1) % count;
        }
    }
    fold_of
}

/// Returns the images of each class, in order.
fn by_class(labels: &[Label]) -> Vec<Vec<usize>> {
    let count = labels.iter().max().map_or(0, |&label| usize::from(label) + 1);
    let mut members = vec![Vec::new(); count];
    labels.iter().enumerate().for_each(|(index, &label)| members[usize::from(label)].push(index));
    members
}

/// Returns `share` of `count`, rounded. A class of two or more images keeps at least one image on each side.
fn held_out_count(count: usize, share: f64) -> usize {
    let wanted = (count as f64 * share).round() as usize;
    if count < 2 || share <= 0.0 { 0 } else { wanted.clamp(1, count - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Labels of ninety images of class 0 and nine of class 3.
    fn imbalanced() -> Vec<Label> {
        (0..99).map(|index| if index % 11 == 0 { 3 } else { 0 }).collect()
    }

    #[test]
    fn every_class_gives_the_same_share() {
        let labels = imbalanced();

        let partition = stratify(&labels, 1.0 / 3.0, 7, Part::Test);

        let held_out = |class| partition.held_out.iter().filter(|&&index| labels[index] == class).count();
        assert_eq!((held_out(0), held_out(3)), (30, 3));
        let mut both = [partition.held_out, partition.rest].concat();
        both.sort_unstable();
        assert_eq!(both, (0..99).collect::<Vec<_>>());
    }

    #[test]
    fn every_fold_has_its_share_of_each_class_and_of_all_images() {
        let labels = imbalanced();

        let folds = folds(&labels, 4, 7);

        let count = |fold, class: Option<Label>| {
            let of = |index: &usize| folds[*index] == fold && class.is_none_or(|class| labels[*index] == class);
            (0..99).filter(of).count()
        };
        for fold in 0..4 {
            assert!([22, 23].contains(&count(fold, Some(0))) && [2, 3].contains(&count(fold, Some(3))));
            assert!([24, 25].contains(&count(fold, None)));
        }
        assert_ne!(folds, super::folds(&labels, 4, 8));
    }

    #[test]
    fn a_partition_depends_on_its_seed_and_its_part() {
        let labels = imbalanced();
        let draw = |seed, part| stratify(&labels, 0.2, seed, part);

        assert_eq!(draw(1, Part::Test), draw(1, Part::Test));
        assert_ne!(draw(1, Part::Test), draw(2, Part::Test));
        assert_ne!(draw(1, Part::Test).held_out, draw(1, Part::Validation).held_out);
    }

    #[test]
    fn a_class_of_two_images_keeps_one_on_each_side() {
        let partition = stratify(&[5, 5], 0.01, 1, Part::Validation);

        assert_eq!((partition.held_out.len(), partition.rest.len()), (1, 1));
    }

    #[test]
    fn a_class_of_one_image_is_never_held_out() {
        let partition = stratify(&[5], 0.9, 1, Part::Validation);

        assert!(partition.held_out.is_empty());
    }
}
