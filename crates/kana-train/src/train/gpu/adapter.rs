//! Which graphics processor trains?
//!
//! The fastest that Vulkan has, or Metal on macOS, or the one that `CUBECL_WGPU_DEFAULT_DEVICE` names (`DiscreteGpu(1)`,
//! `IntegratedGpu(0)`). It is taken once, and serves every network of the process.

use std::sync::OnceLock;

use anyhow::Error;
use burn_tensor::Device;
use burn_tensor::wgpu::{WgpuBackend, WgpuInitError, wgpu};
use tracing::{info, warn};

/// Interface to the graphics processors of this system.
const INTERFACE: WgpuBackend = if cfg!(target_os = "macos") { WgpuBackend::Metal } else { WgpuBackend::Vulkan };

/// Device of this process, or why it has none.
static DEVICE: OnceLock<Result<Device, WgpuInitError>> = OnceLock::new();

/// Returns the device. The first call takes it and logs its name.
///
/// # Errors
/// Returns an error when there is no graphics processor, or when it cannot be used.
pub fn device() -> anyhow::Result<Device> {
    DEVICE.get_or_init(take).as_ref().cloned().map_err(|error| {
        Error::new(error).context(format!(
            "could not train on a graphics processor: looked for one by {INTERFACE:?}; install its driver (on Debian \
             mesa-vulkan-drivers, or the maker's), or train with --device cpu"
        ))
    })
}

fn take() -> Result<Device, WgpuInitError> {
    let (device, setup) = Device::wgpu_options().graphics_api(INTERFACE).init_with_setup()?;
    let adapter = setup.adapter.get_info();
    let (name, backend) = (&adapter.name, setup.backend);
    match adapter.device_type {
        wgpu::DeviceType::Cpu => {
            warn!("training on {name} by {backend}, which the processor emulates: --device cpu is faster")
        }
        _ => info!("training on {name} by {backend}"),
    }
    Ok(device)
}
