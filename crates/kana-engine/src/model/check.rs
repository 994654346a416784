//! Is this card consistent in itself?
//!
//! A card is checked before any weight is read and before any of its numbers is used in arithmetic. Afterwards no size can
//! overflow, no member can point out of its folder, and every specimen is an image with one probability for each label.

use std::ops::RangeInclusive;
use std::path::{Component, Path};

use serde::Deserialize;

use super::card::{self, Card, Member, Specimen};
use crate::image::{Image, Shape};

/// The families of networks that can be computed.
const FAMILIES: [&str; 1] = [super::native::FAMILY];

/// Channels of an input, at most: colour with alpha is four, some instruments have a dozen.
const CHANNELS_MAX: usize = 16;

/// Rows or columns of an input, at most; classifiers usually have a few hundred.
const SIDE_MAX: usize = 4_096;

/// Convolutions: two would leave none that is pooled, nine would need images of 640 pixels a side.
const DEPTH: RangeInclusive<usize> = 3..=8;

/// Channels of the first convolution, at most; the built-in network has 32.
const WIDTH_MAX: usize = 1_024;

/// Labels, at most; the largest public tasks have 20,000.
const LABELS_MAX: usize = 100_000;

/// Members of an ensemble, at most: each takes the time of a whole network.
const MEMBERS_MAX: usize = 64;

/// Specimens of a self-test, at most: the test runs whenever a worker starts.
const SPECIMENS_MAX: usize = 256;

/// Bytes of a name, at most: it is part of addresses and log lines.
const NAME_BYTES_MAX: usize = 128;

/// Parses and checks a card.
///
/// # Errors
/// The reason: line and column where the JSON is invalid, otherwise the field, what was expected and what was found.
pub fn card(bytes: &[u8]) -> Result<Card, String> {
    /// The field that every version of the format has; the others are read only when it matches.
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let unread = |error: serde_json::Error| format!("not a card: {error}");
    let version: Version = serde_json::from_slice(bytes).map_err(unread)?;
    expect("format", card::FORMAT, version.format)?;
    let card: Card = serde_json::from_slice(bytes).map_err(unread)?;
    architecture(&card)?;
    input(&card)?;
    labels(&card)?;
    members(&card.members)?;
    for (number, specimen) in card.self_test.iter().enumerate() {
        pixels(specimen, card.input.shape).map_err(|reason| format!("self_test[{number}].pixels: {reason}"))?;
        expect(&format!("self_test[{number}].probabilities"), card.labels.len(), specimen.probabilities.len())?;
    }
    within("self_test", card.self_test.len(), SPECIMENS_MAX)?;
    Ok(card)
}

/// Decodes a specimen's image.
///
/// # Errors
/// The reason: invalid hexadecimal, or another length than `shape` has.
pub fn pixels(specimen: &Specimen, shape: Shape) -> Result<Image, String> {
    let bytes = hex::decode(&specimen.pixels).map_err(|error| format!("not hexadecimal: {error}"))?;
    let found = bytes.len();
    Image::new(shape, bytes).ok_or_else(|| format!("expected {} bytes, found {found}", shape.bytes()))
}

fn architecture(card: &Card) -> Result<(), String> {
    let family = card.architecture.family.as_str();
    if !FAMILIES.contains(&family) {
        return Err(format!("architecture.family: expected one of {FAMILIES:?}, found {family:?}"));
    }
    let (depth, least, most) = (card.architecture.depth, DEPTH.start(), DEPTH.end());
    if !DEPTH.contains(&depth) {
        return Err(format!("architecture.depth: expected {least} to {most}, found {depth}"));
    }
    within("architecture.width", card.architecture.width, WIDTH_MAX)
}

fn input(card: &Card) -> Result<(), String> {
    let (input, shape) = (&card.input, card.input.shape);
    within("input.shape.channels", shape.channels, CHANNELS_MAX)?;
    within("input.shape.height", shape.height, SIDE_MAX)?;
    within("input.shape.width", shape.width, SIDE_MAX)?;
    expect("input.mean", shape.channels, input.mean.len())?;
    expect("input.deviation", shape.channels, input.deviation.len())?;
    if let Some(mean) = input.mean.iter().find(|mean| !mean.is_finite()) {
        return Err(format!("input.mean: expected numbers, found {mean}"));
    }
    match input.deviation.iter().find(|deviation| !(deviation.is_normal() && **deviation > 0.0)) {
        Some(deviation) => Err(format!("input.deviation: expected numbers above 0, found {deviation}")),
        None => Ok(()),
    }
}

fn labels(card: &Card) -> Result<(), String> {
    if card.name.is_empty() || card.name.len() > NAME_BYTES_MAX || card.name.contains(char::is_control) {
        return Err(format!("name: expected 1 to {NAME_BYTES_MAX} bytes of plain text, found {:?}", card.name));
    }
    within("labels", card.labels.len(), LABELS_MAX)?;
    let mut sorted: Vec<_> = card.labels.iter().collect();
    sorted.sort_unstable();
    if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("labels: expected each once, found {:?} twice", twice[0]));
    }
    if card.romanised.is_empty() { Ok(()) } else { expect("romanised", card.labels.len(), card.romanised.len()) }
}

fn members(members: &[Member]) -> Result<(), String> {
    within("members", members.len(), MEMBERS_MAX)?;
    match members.iter().position(|member| !is_plain(&member.file)) {
        Some(at) => Err(format!("members[{at}].file: expected a name in this folder, found {:?}", members[at].file)),
        None => Ok(()),
    }
}

/// Whether `file` is a plain file name, without a path, on every operating system.
fn is_plain(file: &str) -> bool {
    let mut parts = Path::new(file).components();
    let single = matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == file);
    single && !file.contains(['/', '\\', ':', '\0'])
}

fn within(field: &str, found: usize, max: usize) -> Result<(), String> {
    if (1..=max).contains(&found) { Ok(()) } else { Err(format!("{field}: expected 1 to {max}, found {found}")) }
}

fn expect<T: PartialEq + std::fmt::Display>(field: &str, expected: T, found: T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{field}: expected {expected}, found {found}")) }
}
