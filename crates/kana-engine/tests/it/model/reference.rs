//! What does the reference network compute? In double precision, layer by layer as its definition says, nothing folded.

use std::collections::BTreeMap;

/// A tensor's extents and values, in the order of the file.
pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Channels first: `[channel][row][column]`.
type Planes = Vec<Vec<Vec<f64>>>;

/// The computation that the engine is compared with.
pub struct Reference<'a> {
    pub tensors: &'a Tensors,
    pub mean: &'a [f32],
    pub deviation: &'a [f32],
}

impl Reference<'_> {
    /// The probability of each class for `height` × `width` × channels pixels.
    pub fn probabilities(&self, pixels: &[u8], height: usize, width: usize) -> Vec<f64> {
        let channels = self.mean.len();
        let normal = |c: usize, y: usize, x: usize| {
            let share = f64::from(pixels[(y * width + x) * channels + c]) / 255.0;
            (share - f64::from(self.mean[c])) / f64::from(self.deviation[c])
        };
        let row = |c: usize, y: usize| (0..width).map(|x| normal(c, y, x)).collect::<Vec<_>>();
        let input: Planes = (0..channels).map(|c| (0..height).map(|y| row(c, y)).collect()).collect();

        let mut planes = relu(self.convolve("conv1", &input));
        for number in 2.. {
            planes = self.normalise(&format!("norm{}", number - 1), planes);
            planes = relu(self.convolve(&format!("conv{number}"), &planes));
            if !self.tensors.contains_key(&format!("norm{number}.gamma")) {
                break;
            }
            planes = pool(&planes);
        }
        let flat: Vec<f64> = planes.into_iter().flatten().flatten().collect();
        let hidden: Vec<f64> = self.multiply("dense1", &flat).into_iter().map(|v| v.max(0.0)).collect();
        let logits = self.multiply("dense2", &hidden);
        let greatest = logits.iter().copied().fold(f64::MIN, f64::max);
        let powers: Vec<f64> = logits.iter().map(|l| (l - greatest).exp()).collect();
        let total: f64 = powers.iter().sum();
        powers.into_iter().map(|power| power / total).collect()
    }

    fn tensor(&self, name: &str) -> (&[usize], Vec<f64>) {
        let (shape, values) = &self.tensors[name];
        (shape, values.iter().map(|v| f64::from(*v)).collect())
    }

    fn convolve(&self, name: &str, input: &Planes) -> Planes {
        let (shape, weights) = self.tensor(&format!("{name}.weight"));
        let bias = self.tensor(&format!("{name}.bias")).1;
        let (rows, columns) = (input[0].len() - 2, input[0][0].len() - 2);
        let at = |out: usize, y: usize, x: usize| {
            let mut sum = bias[out];
            for (c, plane) in input.iter().enumerate() {
                for dy in 0..3 {
                    for dx in 0..3 {
                        sum += weights[((out * shape[1] + c) * 3 + dy) * 3 + dx] * plane[y + dy][x + dx];
                    }
                }
            }
            sum
        };
        let row = |out: usize, y: usize| (0..columns).map(|x| at(out, y, x)).collect::<Vec<_>>();
        (0..shape[0]).map(|out| (0..rows).map(|y| row(out, y)).collect()).collect()
    }

    fn normalise(&self, name: &str, mut planes: Planes) -> Planes {
        let part = |part: &str| self.tensor(&format!("{name}.{part}")).1;
        let (gamma, beta, mean, variance) = (part("gamma"), part("beta"), part("mean"), part("variance"));
        for (c, plane) in planes.iter_mut().enumerate() {
            for value in plane.iter_mut().flatten() {
                *value = gamma[c] * (*value - mean[c]) / (variance[c] + 1e-5).sqrt() + beta[c];
            }
        }
        planes
    }

    fn multiply(&self, name: &str, input: &[f64]) -> Vec<f64> {
        let weights = self.tensor(&format!("{name}.weight")).1;
        let bias = self.tensor(&format!("{name}.bias")).1;
        let dot = |row: &[f64]| row.iter().zip(input).map(|(a, b)| a * b).sum::<f64>();
        weights.chunks(input.len()).zip(bias).map(|(row, bias)| dot(row) + bias).collect()
    }
}

fn relu(mut planes: Planes) -> Planes {
    planes.iter_mut().flatten().flatten().for_each(|value| *value = value.max(0.0));
    planes
}

fn pool(planes: &Planes) -> Planes {
    let four = |p: &[Vec<f64>], y: usize, x: usize| {
        p[2 * y][2 * x].max(p[2 * y][2 * x + 1]).max(p[2 * y + 1][2 * x]).max(p[2 * y + 1][2 * x + 1])
    };
    let row = |p: &[Vec<f64>], y: usize| (0..p[0].len() / 2).map(|x| four(p, y, x)).collect::<Vec<_>>();
    planes.iter().map(|p| (0..p.len() / 2).map(|y| row(p, y)).collect()).collect()
}
