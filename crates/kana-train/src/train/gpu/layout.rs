//! How do the tensors of the host lie on the device?
//!
//! Parameters, statistics and moments each lie one after another in one tensor, in the order of the architecture: the
//! optimiser then takes as many calls for all parameters as for one. Activations are `[images, channels, height, width]`.

use burn_tensor::{Device, Shape, Tensor, TensorData};
use kana_engine::kernels::{Extent, LANES};

use crate::train::architecture::TensorSpec;
use crate::train::loader::Mask;

/// Names, shapes and places of tensors that lie one after another.
pub struct Layout {
    specs: Vec<TensorSpec>,
}

impl Layout {
    /// Lays out the tensors that `specs` describe.
    pub fn new(specs: Vec<TensorSpec>) -> Self {
        Self { specs }
    }

    /// Returns which of the tensors `name` is; `None` where there is none of that name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.specs.iter().position(|spec| spec.name == name)
    }

    /// Returns the shape of tensor `number`.
    pub fn shape(&self, number: usize) -> Shape {
        Shape::from(self.specs[number].shape.clone())
    }

    /// Cuts `joined` into one flat tensor for each, whose gradients a backward pass computes.
    pub fn leaves(&self, joined: &Tensor<1>) -> Vec<Tensor<1>> {
        let mut start = 0;
        let leaf = |spec: &TensorSpec| {
            let range = start..start + spec.count();
            start = range.end;
            joined.clone().slice([range]).autodiff().require_grad()
        };
        self.specs.iter().map(leaf).collect()
    }

    /// Cuts `joined` into the values of each tensor.
    pub fn split(&self, joined: &[f32]) -> Vec<Vec<f32>> {
        let mut rest = joined;
        let cut = |spec: &TensorSpec| {
            let (values, others) = rest.split_at(spec.count());
            rest = others;
            values.to_vec()
        };
        self.specs.iter().map(cut).collect()
    }
}

/// Joins the values of all tensors on the device.
pub fn join(tensors: &[Vec<f32>], device: &Device) -> Tensor<1> {
    let joined = tensors.concat();
    let count = joined.len();
    upload(joined, [count], device)
}

/// Copies `values` to the device.
pub fn upload<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Copies images, `[images][height][width][channels]`, to the device.
pub fn upload_images(samples: &[f32], images: usize, extent: Extent, device: &Device) -> Tensor<4> {
    let channels = samples.len() / (images * extent.pixels());
    upload(samples.to_vec(), [images, extent.height, extent.width, channels], device).permute([0, 3, 1, 2])
}

/// Copies the factors of dropout to the device, without the channels that fill the last block.
pub fn upload_mask(mask: &Mask, images: usize, channels: usize, extent: Extent, device: &Device) -> Tensor<4> {
    let values = mask.0.iter().flat_map(|vector| vector.0).collect();
    let padded = channels.div_ceil(LANES) * LANES;
    let mask: Tensor<4> = upload(values, [images, extent.height, extent.width, padded], device);
    mask.narrow(3, 0, channels).permute([0, 3, 1, 2])
}
