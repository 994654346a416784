//! How does a scene fill a frame of other proportions?
//!
//! The scene is scaled to cover the frame, and the overhang is cut off evenly on both sides. Transparent pixels show white,
//! as on paper.

use super::Shape;
use super::picture::Picture;
use super::resample::{Filter, Size, Source, Window, resample};

/// The brightness of paper, on a sample's scale.
const PAPER: u32 = 255;

/// Weights of red, green and blue in grey, of 256 (ITU-R BT.601: 0.299, 0.587, 0.114).
const LUMA: [u32; 3] = [77, 150, 29];

/// Renders `picture` as height × width × channels samples of `shape`: red, green, blue for three channels; for any other
/// number, every channel is grey.
pub(super) fn render(picture: &Picture, shape: Shape) -> Vec<u8> {
    let window = window(picture, shape);
    let filter = if window.height < shape.height as f32 { Filter::Linear } else { Filter::Area };
    let planes = if shape.channels == 3 {
        vec![plane(picture, |c| c[0]), plane(picture, |c| c[1]), plane(picture, |c| c[2])]
    } else {
        vec![plane(picture, grey)]
    };
    let scaled: Vec<_> = planes
        .iter()
        .map(|samples| {
            let source = Source { width: picture.width(), height: picture.height(), samples };
            resample(&source, window, Size { width: shape.width, height: shape.height }, filter)
        })
        .collect();
    let sample = |pixel: usize, channel: usize| scaled[channel % scaled.len()][pixel].round().clamp(0.0, 255.0) as u8;
    let pixels = 0..shape.width * shape.height;
    pixels
        .flat_map(|pixel| (0..shape.channels).map(move |channel| (pixel, channel)))
        .map(|(p, c)| sample(p, c))
        .collect()
}

/// The largest part of the picture's middle that has the frame's proportions.
fn window(picture: &Picture, shape: Shape) -> Window {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let scale = (width / shape.width as f32).min(height / shape.height as f32);
    let (inner_width, inner_height) = (scale * shape.width as f32, scale * shape.height as f32);
    Window {
        left: (width - inner_width) / 2.0,
        top: (height - inner_height) / 2.0,
        width: inner_width,
        height: inner_height,
    }
}

fn plane(picture: &Picture, sample: impl Fn([u8; 3]) -> u8) -> Vec<u8> {
    let channels = picture.layout().channels();
    if !picture.layout().has_alpha() {
        return picture.colours().map(sample).collect();
    }
    let opacities = picture.samples().chunks_exact(channels).map(|pixel| u32::from(pixel[channels - 1]));
    picture
        .colours()
        .zip(opacities)
        .map(|(colour, opacity)| {
            let shown = u32::from(sample(colour)) * opacity + PAPER * (255 - opacity);
            ((shown + 127) / 255) as u8
        })
        .collect()
}

fn grey(colour: [u8; 3]) -> u8 {
    let sum: u32 = colour.iter().zip(LUMA).map(|(&sample, weight)| u32::from(sample) * weight).sum();
    (sum >> 8) as u8
}
