//! Which data sets can be downloaded, from where, and with which checksums?
//!
//! Checksums are pinned here, so that neither an unencrypted address nor a mirror has to be trusted.

use super::classes;

/// A data set that is published on the internet.
#[derive(Debug, PartialEq, Eq)]
pub struct PublishedDataset {
    /// Name on the command line.
    pub name: &'static str,
    /// URL of the folder with the files, ending with a slash.
    pub address: &'static str,
    /// Files of the data set.
    pub files: &'static [PublishedFile],
    /// Licence of the images.
    pub licence: &'static str,
    /// Attribution that the licence asks for.
    pub attribution: &'static str,
}

/// A file of a published data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedFile {
    /// File name, on the server and on this machine.
    pub name: &'static str,
    /// Checksum of the published file.
    pub checksum: Checksum,
}

/// A SHA-256 in hexadecimal, and what it is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-256 of the file as it is.
    Compressed(&'static str),
    /// SHA-256 of the decompressed contents, for a mirror that compresses files again.
    Decompressed(&'static str),
}

/// KMNIST from its authors, <http://codh.rois.ac.jp/kmnist/>. The server has no encryption; the checksums verify the files.
pub static KMNIST: PublishedDataset = PublishedDataset {
    name: "kmnist",
    address: "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    files: &[
        PublishedFile {
            name: "train-images-idx3-ubyte.gz",
            checksum: Checksum::Compressed("51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
        },
        PublishedFile {
            name: "train-labels-idx1-ubyte.gz",
            checksum: Checksum::Compressed("e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
        },
        PublishedFile {
            name: "t10k-images-idx3-ubyte.gz",
            checksum: Checksum::Compressed("edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
        },
        PublishedFile {
            name: "t10k-labels-idx1-ubyte.gz",
            checksum: Checksum::Compressed("20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
        },
    ],
    licence: classes::KMNIST_LICENCE,
    attribution: classes::KMNIST_ATTRIBUTION,
};

/// MNIST from the mirror that PyTorch maintains.
pub static MNIST: PublishedDataset = PublishedDataset {
    name: "mnist",
    address: "https://ossci-datasets.s3.amazonaws.com/mnist/",
    files: &[
        PublishedFile {
            name: "train-images-idx3-ubyte.gz",
            checksum: Checksum::Decompressed("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        },
        PublishedFile {
            name: "train-labels-idx1-ubyte.gz",
            checksum: Checksum::Decompressed("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        },
        PublishedFile {
            name: "t10k-images-idx3-ubyte.gz",
            checksum: Checksum::Decompressed("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        },
        PublishedFile {
            name: "t10k-labels-idx1-ubyte.gz",
            checksum: Checksum::Decompressed("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        },
    ],
    licence: classes::MNIST_LICENCE,
    attribution: classes::MNIST_ATTRIBUTION,
};

/// All published data sets.
pub static ALL: [&PublishedDataset; 2] = [&KMNIST, &MNIST];

/// Returns the published data set of this name.
pub fn find(name: &str) -> Option<&'static PublishedDataset> {
    ALL.into_iter().find(|dataset| dataset.name == name)
}
