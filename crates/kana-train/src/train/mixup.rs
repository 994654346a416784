//! What does a network learn from two images at once?
//!
//! That what lies between two characters is a bit of both: some images of a batch have another one of it mixed into them, and
//! their targets are mixed alike (H. Zhang et al.: mixup: Beyond Empirical Risk Minimization, 2018). The image keeps the greater
//! part of itself, so that its class stays the likeliest.

use rand::{Rng, RngExt};
use rand_distr::Beta;

/// Both parameters of the beta distribution that the parts follow: below one, so that most mixtures are nearly pure.
const SHAPE: f32 = 0.3;

/// Image that is mixed into another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guest {
    /// Its number in the batch.
    image: usize,
    /// Its part of the mixture, at most a half: 0 where nothing is mixed in.
    part: f32,
}

/// Draws the guest of each of `images` images. A `share` of them, in [0, 1], has one; it may be the image itself.
pub fn draw(random: &mut impl Rng, images: usize, share: f64) -> Vec<Guest> {
    let parts = Beta::new(SHAPE, SHAPE).expect("BUG: both parameters are more than zero");
    let mut guest = || {
        let (image, part) = (random.random_range(0..images), random.sample(parts));
        Guest { image, part: if random.random_bool(share) { part.min(1.0 - part) } else { 0.0 } }
    };
    (0..images).map(|_| guest()).collect()
}

/// Mixes the rows of `values`, one an image, with those of their `guests`.
pub fn mix(values: &mut [f32], guests: &[Guest]) {
    let (pure, row) = (values.to_vec(), values.len() / guests.len());
    for (own, guest) in values.chunks_exact_mut(row).zip(guests) {
        let other = &pure[guest.image * row..][..row];
        own.iter_mut().zip(other).for_each(|(own, other)| *own += guest.part * (other - *own));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::random::{Purpose, stream};

    #[test]
    fn a_row_becomes_the_mean_of_itself_and_its_guest_weighted_by_the_part() {
        let mut values = [0.0, 10.0, 100.0, 200.0, 1.0, 2.0];
        let guests = [(1, 0.25), (0, 0.5), (2, 0.0)].map(|(image, part)| Guest { image, part });

        mix(&mut values, &guests);

        assert_eq!(values, [25.0, 57.5, 50.0, 105.0, 1.0, 2.0]);
    }

    #[test]
    fn a_share_of_the_images_has_a_guest_of_less_than_the_greater_part() {
        let guests = draw(&mut stream(1, Purpose::Mixup, [0, 0]), 1_000, 0.4);

        let mixed = guests.iter().filter(|guest| guest.part > 0.0).count();
        let mean = guests.iter().map(|guest| guest.part).sum::<f32>() / mixed as f32;
        // The mean of the lesser of x and 1 - x where x follows the distribution.
        assert!((mean - 0.135).abs() < 0.03, "the mean part is {mean}");
        assert!((340..460).contains(&mixed), "{mixed} of 1,000 are mixed");
        assert!(guests.iter().all(|guest| guest.part <= 0.5 && guest.image < 1_000));
        assert!(draw(&mut stream(1, Purpose::Mixup, [0, 0]), 100, 0.0).iter().all(|guest| guest.part == 0.0));
    }
}
