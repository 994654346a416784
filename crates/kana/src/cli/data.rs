//! What does `data` take?

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Threads, block_on, flags, print};
use kana_engine::image::Image;
use kana_engine::model::Artifact;
use kana_train::data::fetch::{self, Event};
use kana_train::data::published::published;
use kana_train::data::{Folder, samples};

/// The published data sets that can be fetched.
const PUBLISHED: [&str; 2] = ["kmnist", "mnist"];

/// `kana data`.
#[derive(Debug, Subcommand)]
pub enum Data {
    /// Download the official files of a data set, check them, and say their licence
    Fetch(Fetch),
    /// Write images as sample_0.png, sample_1.png, …
    Samples(Samples),
}

/// `kana data fetch`.
#[derive(Debug, Args)]
pub struct Fetch {
    /// Which data set
    #[arg(value_parser = PossibleValuesParser::new(PUBLISHED))]
    name: String,

    /// Where its files go; without it, where `--data NAME` finds them
    #[arg(long, env = "KANA_OUT", value_name = "DIR")]
    out: Option<PathBuf>,
}

/// `kana data samples`.
#[derive(Debug, Args)]
pub struct Samples {
    /// Where the images come from: a folder of IDX files, or kmnist or mnist once fetched; without it, brush strokes
    /// that kana draws by itself
    #[arg(long, env = "KANA_DATA", value_name = "DIR")]
    data: Option<PathBuf>,

    /// How many
    #[arg(long, env = "KANA_COUNT", value_name = "COUNT", default_value_t = 21, value_parser = flags::count)]
    count: usize,

    /// Where they go
    #[arg(long, env = "KANA_OUT", value_name = "DIR", default_value = "samples")]
    out: PathBuf,
}

impl Data {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Fetch(fetch) => fetch.run(),
            Self::Samples(samples) => samples.run(),
        }
    }
}

impl Fetch {
    fn run(self) -> anyhow::Result<ExitCode> {
        let set = published(&self.name).with_context(|| format!("there is no published data set {:?}", self.name))?;
        let out = self.out.unwrap_or_else(|| flags::data_cache().join(set.name));
        let style = ProgressStyle::with_template("{bar:24} {bytes}/{total_bytes} {msg}, {eta} left")?;
        let bar = ProgressBar::new(0).with_style(style);
        let mut hear = |event: Event<'_>| match event {
            Event::Present { file } => bar.suspend(|| print::note(&format!("{file} is there already\n"))),
            Event::Begun { file, had, bytes } => {
                bar.set_length(bytes.unwrap_or(had));
                bar.set_position(had);
                bar.set_message(file.to_owned());
            }
            Event::Came(bytes) => bar.inc(bytes),
            Event::Done { file } => {
                bar.suspend(|| print::note(&format!("{file} has come, and is what it should be\n")))
            }
        };
        let fetched = block_on(Threads::One, fetch::fetch(set, set.address, &out, &mut hear))?;
        bar.finish_and_clear();
        fetched?;
        print::note(&format!("licence: {}\nattribution: {}\n", set.licence, set.attribution));
        print::text(&out.display().to_string())?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Samples {
    fn run(self) -> anyhow::Result<ExitCode> {
        let images = match &self.data {
            Some(data) => self.of_data_set(data)?,
            None => self.of_strokes()?,
        };
        let unwritable = || format!("could not write to {}", self.out.display());
        std::fs::create_dir_all(&self.out).with_context(unwritable)?;
        for (number, (label, image)) in images.into_iter().enumerate() {
            let path = self.out.join(format!("sample_{number}.png"));
            std::fs::write(&path, samples::png(&image)?)
                .with_context(|| format!("could not write {}", path.display()))?;
            print::text(&format!("{}\t{label}", path.display()))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The first images of the test set, with their labels.
    fn of_data_set(&self, data: &Path) -> anyhow::Result<Vec<(String, Image)>> {
        let folder = Folder::load(&flags::data_set(data)?)?;
        let there = folder.test.len();
        ensure!(self.count <= there, "could not take {} images of {}: it has {there}", self.count, data.display());
        let label = |class: u8| folder.classes.labels.get(usize::from(class)).cloned().unwrap_or(class.to_string());
        Ok((0..self.count).map(|index| (label(folder.test.labels()[index]), folder.test.image(index))).collect())
    }

    /// Class by class in turn, each drawn anew every time.
    fn of_strokes(&self) -> anyhow::Result<Vec<(String, Image)>> {
        let artifact = Artifact::built_in()?;
        let labels = &artifact.card().labels;
        let label = |number| labels.get(samples::class(number)).cloned().unwrap_or_default();
        Ok((0..self.count).map(|number| (label(number), samples::drawn(number))).collect())
    }
}
