//! Which flags does `report` take, and what does it print?

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{flags, print};

/// Arguments of `kana report`.
#[derive(Debug, Args)]
pub struct Report {
    /// Folder of a finished training run: the --out of kana train
    #[arg(long, env = "KANA_RUN", value_name = "DIR")]
    run: PathBuf,

    /// Data set that it was trained on [default: where it was then]
    #[arg(long, env = "KANA_DATA", value_name = "DIR")]
    data: Option<PathBuf>,

    /// Folder of a finished run of `kana train --classes A,B` on the same data set: says whether this specialist helps where
    /// the model wavers between its classes. Give it once for each, the first that applies is asked; in KANA_SPECIALIST they
    /// are separated by commas
    #[arg(long = "specialist", env = "KANA_SPECIALIST", value_name = "DIR", value_delimiter = ',')]
    specialists: Vec<PathBuf>,
}

impl Report {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let data = self.data.as_deref().map(flags::data_set).transpose()?;
        print::text(kana_train::write_report(&self.run, data.as_deref(), &self.specialists)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
