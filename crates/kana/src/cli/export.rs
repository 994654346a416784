//! Which flags does `export` take, and where does the file go?

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use super::{flags, print};
use kana_engine::model::onnx;

/// Arguments of `kana export`.
#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    model: flags::Model,

    /// ONNX file to write; one that is there is replaced
    #[arg(long, env = "KANA_ONNX", value_name = "FILE")]
    onnx: PathBuf,
}

impl Export {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let file = onnx::export(self.model.folder()?.as_deref())?;
        std::fs::write(&self.onnx, file).with_context(|| format!("could not write {}", self.onnx.display()))?;
        print::text(&self.onnx)?;
        Ok(ExitCode::SUCCESS)
    }
}
