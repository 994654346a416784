//! Which flags does `data` take, and how does it report a download?

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
use kana_train::data::{Folder, published, samples};

/// Subcommands of `kana data`.
#[derive(Debug, Subcommand)]
pub enum Data {
    /// Download the official files of a data set, verify their checksums, and print the licence
    Fetch(Fetch),
    /// Write images as sample_0.png, sample_1.png, … and print each path with its label
    Samples(Samples),
}

/// Arguments of `kana data fetch`.
#[derive(Debug, Args)]
pub struct Fetch {
    /// Name of the data set
    #[arg(value_parser = PossibleValuesParser::new(published::ALL.map(|dataset| dataset.name)))]
    name: String,

    /// Folder that the files are written into [default: the folder that `--data NAME` reads, kana/NAME in
    /// XDG_DATA_HOME or ~/.local/share]
    #[arg(long, env = "KANA_OUT", value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Arguments of `kana data samples`.
#[derive(Debug, Args)]
pub struct Samples {
    /// Data set to take the first test images from: a folder with the IDX files of MNIST, or the name kmnist or mnist
    /// after `kana data fetch kmnist` [default: none; kana draws brush strokes]
    #[arg(long, env = "KANA_DATA", value_name = "DIR")]
    data: Option<PathBuf>,

    /// Number of images
    #[arg(long, env = "KANA_COUNT", value_name = "COUNT", default_value_t = 21, value_parser = flags::count)]
    count: usize,

    /// Folder that the images are written into; it is created when needed
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
        let dataset = published::find(&self.name).expect("BUG: clap accepts only the names of published data sets");
        let out = match self.out {
            Some(out) => out,
            None => flags::data_cache()?.join(dataset.name),
        };
        let style = ProgressStyle::with_template("{bar:24} {bytes}/{total_bytes} {msg}, {eta} left")?;
        let bar = ProgressBar::new(0).with_style(style);
        let mut notify = |event: Event<'_>| match event {
            Event::Present { file } => bar.suspend(|| print::note(&format!("{file} is already complete\n"))),
            Event::Started { file, offset, bytes } => {
                bar.set_length(bytes.unwrap_or(offset));
                bar.set_position(offset);
                bar.set_message(file.to_owned());
            }
            Event::Received { bytes } => bar.inc(bytes),
            Event::Done { file } => bar.suspend(|| print::note(&format!("{file} is downloaded and verified\n"))),
        };
        let fetched = block_on(Threads::One, fetch::fetch(dataset, dataset.address, &out, &mut notify))?;
        bar.finish_and_clear();
        fetched?;
        print::note(&format!("licence: {}\nattribution: {}\n", dataset.licence, dataset.attribution));
        print::text(&out)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Samples {
    fn run(self) -> anyhow::Result<ExitCode> {
        let images = match &self.data {
            Some(data) => self.read_images(data)?,
            None => self.draw_images()?,
        };
        std::fs::create_dir_all(&self.out).with_context(|| format!("could not create {}", self.out.display()))?;
        for (number, (label, image)) in images.into_iter().enumerate() {
            let path = self.out.join(format!("sample_{number}.png"));
            std::fs::write(&path, samples::encode_png(&image)?)
                .with_context(|| format!("could not write {}", path.display()))?;
            let mut line = path.into_os_string();
            line.push(format!("\t{label}"));
            print::text(line)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Reads the first test images of a data set, with their labels.
    fn read_images(&self, data: &Path) -> anyhow::Result<Vec<(String, Image)>> {
        let folder = Folder::load(&flags::data_set(data)?)?;
        let total = folder.test.len();
        ensure!(self.count <= total, "could not take {} images of {}: it has {total}", self.count, data.display());
        let label = |class: u16| folder.classes.labels.get(usize::from(class)).cloned().unwrap_or(class.to_string());
        Ok((0..self.count).map(|index| (label(folder.test.labels()[index]), folder.test.image(index))).collect())
    }

    /// Draws images of all classes in turn, with their labels.
    fn draw_images(&self) -> anyhow::Result<Vec<(String, Image)>> {
        let artifact = Artifact::built_in()?;
        let labels = &artifact.card().labels;
        let label = |number| labels.get(samples::class(number)).cloned().unwrap_or_default();
        Ok((0..self.count).map(|number| (label(number), samples::draw(number))).collect())
    }
}
